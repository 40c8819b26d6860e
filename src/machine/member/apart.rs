//! Whether the network that we are on keeps its users apart, as many do that are for guests: whoever is on it with
//! us never answers where they are, and is reached through others, if at all.
//!
//! What this does not know: which networks there are. Two are on one if a nodeset sees them at one address, or
//! both at addresses of their own that differ in little; that is a guess, and nothing follows but a sentence.

use core::net::IpAddr;

use super::{Ctx, Member, MemberKey, Members};
use crate::machine::call::Calls;
use crate::machine::event::{Event, Way};
use crate::machine::purpose::Purpose;
use crate::machine::who::beacon::Beacon;

/// How often a direct way is tried in vain, while one through others works, before it is the network's doing: after
/// 5 and 15 s.
const TRIES: u32 = 3;

/// Who we are, where a nodeset sees us, and which one that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewpoint<'a> {
    pub(crate) me: &'a Beacon,
    pub(crate) seen: Option<IpAddr>,
    pub(crate) listing: Option<u64>,
}

impl Member {
    /// Whether they are on our network, are there, and have never answered at an address.
    pub(crate) fn is_kept_apart(&self, of: Viewpoint<'_>, calls: &Calls<Purpose>) -> bool {
        let through = self.reach.path().is_some_and(|path| calls.is_relayed(path));
        let in_vain = if through && self.has_way(calls) {
            self.reach.direct_tries() >= TRIES
        } else {
            self.is_unreachable() && self.record.is_listed_by(of.listing)
        };
        in_vain && self.reach.last().is_none() && self.is_beside(of)
    }

    fn is_beside(&self, of: Viewpoint<'_>) -> bool {
        let (Some(ours), Some(theirs)) = (of.seen, self.reach.seen().map(|seen| seen.ip())) else {
            return false;
        };
        let is_own = |of: &Beacon, ip: IpAddr| of.addrs.iter().any(|addr| addr.ip() == ip);
        let untranslated = is_own(of.me, ours) && is_own(self.record.beacon(), theirs);
        !ours.is_loopback() && (ours == theirs || untranslated && are_near(ours, theirs))
    }
}

/// Whether two addresses are those of one network, as most have them: a /24, or a /64.
fn are_near(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()) >> 8 == 0,
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()) >> 64 == 0,
        _ => false,
    }
}

impl Members {
    /// Says that the network keeps its users apart, once, if somebody shows it.
    pub(super) fn tell_apart(&mut self, key: MemberKey, ctx: &mut Ctx<'_>) {
        let Some(member) = self.slab.get(key).filter(|member| member.life.is_shown()) else {
            return;
        };
        let (me, seen, listing) = (&ctx.me.beacon, ctx.seen, ctx.listing);
        let apart = member.is_kept_apart(Viewpoint { me, seen, listing }, ctx.calls);
        if !apart || self.told_apart || !ctx.announce {
            return;
        }
        let relay = member.reach.path().and_then(|path| self.relay_of(path, ctx.calls));
        let (who, way) = (member.record.person(), relay.map_or(Way::None, Way::Through));
        self.told_apart = true;
        ctx.out.show(Event::Apart { who, way });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_what_differs_in_little() {
        for (one, other, near) in [
            ("10.9.0.1", "10.9.0.254", true),
            ("10.9.0.1", "10.9.1.1", false),
            ("2001:db8::1", "2001:db8::2:3", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("10.9.0.1", "::ffff:10.9.0.1", false),
        ] {
            assert_eq!(are_near(one.parse().unwrap(), other.parse().unwrap()), near, "{one}");
        }
    }
}
