//! The sentences: one for each cause, and what to do.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::cause::{Cause, Finding};
use super::evidence::{Local, Reach, Said, System, Tally};

/// The port of a nodeset when none is named.
const PORT: u16 = 7420;

/// What is left when a nodeset is silent.
pub const COME_IN: &str = "others come in through anybody here (/invite)";

/// The most members in other rooms that a nodeset tells of: it stands for more.
const MANY: u8 = 9;

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|&word| word.to_owned()).collect()
}

/// The command that starts a nodeset where one was asked.
fn serve(nodeset: SocketAddr) -> Vec<String> {
    match (nodeset.port(), nodeset.is_ipv4()) {
        (PORT, _) => words(&["nodeset"]),
        (port, true) => words(&["nodeset", "--listen", &format!("0.0.0.0:{port}")]),
        (port, false) => words(&["nodeset", "--listen", &format!("[::]:{port}")]),
    }
}

/// A span as people say it.
fn span(time: Duration) -> String {
    match time.as_millis() {
        0 => "less than 1 ms".to_owned(),
        ms @ 1..1000 => format!("{ms} ms"),
        ms @ 1000..120_000 => {
            let tenths = (ms + 50) / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        _ => long(time),
    }
}

/// A long span, rounded down.
fn long(time: Duration) -> String {
    let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60);
    let some = |number: u64, one, more| counted(usize::try_from(number).unwrap_or(0), one, more);
    match (hours, minutes) {
        (0, _) => some(minutes, "minute", "minutes"),
        (1..48, _) => some(hours, "hour", "hours"),
        _ => some(hours / 24, "day", "days"),
    }
}

/// A share in percent, rounded.
fn percent(part: u32, whole: u32) -> u64 {
    let (part, whole) = (u64::from(part), u64::from(whole.max(1)));
    (100 * part + whole / 2) / whole
}

fn counted(number: usize, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {more}") }
}

/// How far addresses of the family of this one lead.
const fn reach(local: Local, of: SocketAddr) -> Reach {
    if of.is_ipv4() { local.v4 } else { local.v6 }
}

/// Whether an address is one of a single cable.
const fn of_cable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// An address of this computer cannot be had, and why.
pub fn cannot_listen(why: &str) -> Finding {
    Finding::new(Cause::CannotListen, why)
        .advise("end the program that has it, or listen elsewhere: --listen ADDR:PORT")
}

/// Why the system sends nothing to `addr`, which is called `at`, and why that may be.
pub fn system(at: &str, addr: SocketAddr, said: &System, local: Local) -> Finding {
    let (cause, why) = cause_of(addr, said, local);
    let finding = Finding::new(cause, format!("cannot send to {at}: {why}"));
    match cause {
        Cause::NoNetwork => finding.advise("connect this computer: a cable, a wireless network"),
        Cause::OnlyLinkLocal => {
            finding.advise("give it an address, or have somebody on this cable open the room")
        }
        Cause::NoFamily => finding.advise("name an address of the other family, if it has one"),
        Cause::NotPermitted => {
            finding.advise("let chatrpc send over UDP, or remove the route that prohibits it")
        }
        Cause::NoZone => finding.advise("write the interface behind it, as fe80::1%eth0"),
        Cause::Discarded => finding.advise("remove that route (ip route), or use another address"),
        Cause::NoRoute => finding.advise("check the address, and the default route (ip route)"),
        _ => finding,
    }
}

/// The same in a few words.
pub fn why(addr: SocketAddr, said: &System, local: Local) -> String {
    cause_of(addr, said, local).1
}

fn cause_of(addr: SocketAddr, said: &System, local: Local) -> (Cause, String) {
    let alone = local.v4.max(local.v6) == Reach::None;
    let family = if addr.is_ipv4() { "IPv4" } else { "IPv6" };
    let lacks = lacks_zone(addr);
    let nowhere = matches!(said, System::NoRoute | System::NoHost);
    let (cause, why) = match said {
        System::NotPermitted => {
            (Cause::NotPermitted, "not permitted (a firewall on this computer?)")
        }
        System::Invalid | System::NoRoute if lacks => {
            (Cause::NoZone, "it is an address of one cable, and nobody says of which")
        }
        System::Invalid => (Cause::Discarded, "a route of this computer throws it away"),
        System::Other(why) => return (Cause::CannotSend, why.clone()),
        _ if nowhere && alone => {
            (Cause::NoNetwork, "no interface of this computer is up and has an address")
        }
        _ if reach(local, addr) == Reach::None => {
            let why = format!("it is an address of {family}, and this computer has none of those");
            return (Cause::NoFamily, why);
        }
        _ if reach(local, addr) == Reach::Cable && !of_cable(addr.ip()) => (
            Cause::OnlyLinkLocal,
            "this computer has only addresses of its own cable, and nobody gave it another one",
        ),
        System::NoHost => (Cause::NoRoute, "there is no way to that computer"),
        System::NoRoute => (Cause::NoRoute, "the network is unreachable"),
    };
    (cause, why.to_owned())
}

/// Whether it is an address of one cable, and of which is not said.
pub(super) const fn lacks_zone(addr: SocketAddr) -> bool {
    match addr {
        SocketAddr::V4(_) => false,
        SocketAddr::V6(v6) => v6.ip().is_unicast_link_local() && v6.scope_id() == 0,
    }
}

/// No interface is up, although something was sent: a cable that is not plugged in.
pub(super) fn unplugged(at: &str) -> Finding {
    Finding::new(
        Cause::NoNetwork,
        format!("nothing comes back from {at}: no interface of this computer is connected"),
    )
    .advise("connect this computer: a cable, a wireless network")
}

/// A name has no address. `why` is what the system says.
pub fn unresolved(host: &str, why: &str) -> Finding {
    Finding::new(Cause::Unresolved, format!("cannot resolve '{host}': {why}"))
        .advise("check how it is written, or name the address itself")
}

/// Whoever knows names does not answer.
pub fn names_silent(host: &str) -> Finding {
    let what = format!("cannot resolve '{host}': no name server answers");
    Finding::new(Cause::NamesSilent, what)
        .advise("name the address itself, or check /etc/resolv.conf")
}

/// The network said that nothing listens at `at`, of which `nodeset` is the first address.
pub fn nobody_listens(at: &str, nodeset: SocketAddr, here: bool) -> Finding {
    let what = format!("nothing is listening at {at} (connection refused)");
    let finding = Finding::new(Cause::NobodyListens, what);
    // Who mistyped an address would start one here, and wait there.
    if here {
        return finding.run("try: ", serve(nodeset));
    }
    finding
        .run("start one there:  ", serve(nodeset))
        .advise("or check the address: who opened the room sees it with /invite")
}

/// What the network said of `at`.
pub(super) fn said(at: &str, addr: SocketAddr, said: Said) -> Finding {
    match said {
        Said::NobodyListens => nobody_listens(at, addr, addr.ip().is_loopback()),
        Said::NobodyThere => Finding::new(
            Cause::NobodyThere,
            format!("no computer on this network answers for {at}: it is off, or elsewhere"),
        )
        .advise("switch it on, or check the address: who opened the room sees it with /invite"),
        Said::Forbidden(router) => Finding::new(
            Cause::Forbidden,
            format!("{router} says that what goes to {at} is forbidden: a firewall on the way"),
        )
        .advise(format!("let UDP port {} pass there, or use another network", addr.port())),
        Said::Loops(router) => Finding::new(
            Cause::Loops,
            format!("{router} says that what goes to {at} goes in circles: routes are wrong there"),
        )
        .advise("tell whoever runs that network, or check the address"),
        Said::KnowsNone(router) => Finding::new(
            Cause::RouterKnowsNone,
            format!("{router}, a router on the way, knows no way to {at}"),
        )
        .advise("check the address, and that the computer there is on"),
    }
}

/// Something else listens there.
pub fn not_chatrpc(addr: SocketAddr) -> Finding {
    let what = format!("{addr} answered, but it is not a chatrpc nodeset");
    Finding::new(Cause::NotChatrpc, what)
        .advise("check the port: who opened the room sees it with /invite")
}

/// It speaks another version of the protocol.
pub fn version(theirs: u8, ours: u8, program: &str) -> Finding {
    let what = format!("nodeset speaks protocol {theirs}, this chatrpc speaks {ours}");
    let finding = Finding::new(Cause::Version, what);
    if theirs > ours {
        finding.advise(format!("upgrade this one (chatrpc {program})"))
    } else {
        finding.advise("upgrade the nodeset")
    }
}

/// The answers come from elsewhere.
pub(super) fn answered_elsewhere(at: SocketAddr, from: SocketAddr) -> Finding {
    let what =
        format!("what is asked at {at} is answered from {from}, so nobody can tell who it is");
    Finding::new(Cause::AnsweredElsewhere, what)
        .run("ask there:  ", words(&["chat", &from.to_string()]))
}

/// Nothing comes back.
pub fn silent(at: &str, nodeset: SocketAddr) -> Finding {
    Finding::new(Cause::Silent, format!("no nodeset answered at {at}"))
        .run("start one there:  ", serve(nodeset))
        .advise("or check the address and UDP firewall")
}

/// It takes no more members.
pub fn full(nodeset: SocketAddr) -> Finding {
    let command = [serve(nodeset), words(&["--max-nodes", "N"])].concat();
    Finding::new(Cause::Full, format!("the nodeset at {nodeset} is full"))
        .run("there, with a greater N:  ", command)
}

/// Large datagrams do not come through to `whom`.
pub(super) fn large_vanish(whom: &str, small: &str, large: &str) -> Finding {
    let what = format!("large datagrams vanish on the way to {whom}: {small}, {large}");
    Finding::new(Cause::LargeVanish, what)
        .advise("chatrpc sends small ones there; lower the MTU of this computer, or let ICMP pass")
}

/// The two halves of what is said of large datagrams.
pub(super) fn sizes(small: &Tally, large: &Tally) -> (String, String) {
    let of = |tally: &Tally, what: &str| {
        format!("{} of {} {what} questions were answered", tally.answered, tally.asked)
    };
    (of(small, "small"), of(large, "large"))
}

/// Much is lost on the way to `whom`, there or back.
pub(super) fn loss(whom: &str, lost: u64) -> Finding {
    Finding::new(
        Cause::Loss,
        format!("{lost} % of what is asked of {whom} is lost, there or on the way back"),
    )
    .advise("what you say arrives, later; move closer to the access point, or use a cable")
}

/// The same, as it was counted.
pub(super) fn counted_loss(whom: &str, tally: &Tally) -> Finding {
    loss(whom, percent(tally.lost(), tally.asked))
}

/// Answers take long.
pub(super) fn slow(whom: &str, time: Duration) -> Finding {
    Finding::new(
        Cause::Slow,
        format!("{whom} answers after {}: the way there is long, or busy", span(time)),
    )
    .advise("it works; what you say arrives that much later")
}

/// One of several addresses leads nowhere, and why.
pub(super) fn dead_address(of: &Finding, better: SocketAddr) -> Finding {
    Finding::new(Cause::DeadAddress, format!("one of the addresses leads nowhere: {}", of.what))
        .advise(format!("leave it out, or put it right: {better} answers"))
}

/// Nobody is here, and somebody is in other rooms.
pub(super) fn elsewhere(count: u8, open: bool) -> Finding {
    let more = if count >= MANY { " or more" } else { "" };
    let people = if count == 1 { "person is" } else { "people are" };
    let secret = if open { "" } else { " with this secret" };
    let what = format!(
        "nobody is in this room{secret}, and {count}{more} {people} in other rooms of the nodeset"
    );
    Finding::new(Cause::Elsewhere, what).advise(
        "compare the name of the room and its secret with theirs: another one is another room",
    )
}

/// Nobody is here.
pub(super) fn empty(open: bool) -> Finding {
    let what =
        if open { "nobody is in this room" } else { "nobody is in this room with this secret" };
    Finding::new(Cause::Empty, what)
        .advise("wait for the others, or compare the name of the room and its secret with theirs")
}

/// A clock is wrong.
pub(super) fn clock(ahead: Duration) -> Finding {
    let ahead = long(ahead);
    Finding::new(
        Cause::Clock,
        format!("the clock of this computer is at least {ahead} behind that of another one there"),
    )
    .advise("set the clock that is wrong; chatrpc works with it, and shows that time")
}

/// A member answers.
pub(super) fn member(addr: SocketAddr) -> Finding {
    Finding::new(
        Cause::Member,
        format!(
            "{addr} is somebody in the room, and no nodeset: people come in through them as well"
        ),
    )
    .advise("nothing is to be done; when they leave, use the address of another one (/invite)")
}

/// This computer answers.
pub(super) fn this_computer(addr: SocketAddr) -> Finding {
    Finding::new(
        Cause::ThisComputer,
        format!("{addr} is this computer itself: from another one it leads elsewhere"),
    )
    .advise("give others the address that the nodeset prints, or /invite shows")
}

/// All is well.
pub(super) fn well(addr: SocketAddr, small: &Tally, people: Option<usize>) -> Finding {
    let time = small.median().map_or_else(String::new, |time| format!(" after {}", span(time)));
    let room = people.filter(|people| *people > 0).map_or_else(String::new, |people| {
        format!("; {} seen in the room", counted(people, "person was", "people were"))
    });
    let (answered, asked) = (small.answered, small.asked);
    let what = format!("{addr} answers{time} ({answered} of {asked} questions){room}");
    Finding::new(Cause::Well, what)
}

/// The nodeset of the room we are in does not answer.
pub(super) fn nodeset_silent(nodeset: SocketAddr, silent: Duration) -> Finding {
    Finding::new(
        Cause::NodesetSilent,
        format!("the nodeset at {nodeset} has not answered for {}", span(silent)),
    )
    .advise(format!("you can talk on; {COME_IN}"))
}

/// There is no way to somebody.
pub(super) fn no_way(name: &str) -> Finding {
    Finding::new(
        Cause::NoWay,
        format!("there is no way to {name}, and nobody here reaches both of you"),
    )
    .advise("what you say waits for them; a third person whom both of you reach would pass it on")
}

/// Somebody does not hear us.
pub(super) fn deaf(name: &str) -> Finding {
    Finding::new(Cause::Deaf, format!("{name} is heard, and does not hear you: one way is cut"))
        .advise("check what filters UDP in front of them, or behind you")
}

/// Somebody is reached through a third.
pub(super) fn relayed(name: &str, relay: &str) -> Finding {
    Finding::new(
        Cause::Relayed,
        format!("{name} is reached through {relay}: no direct way to them has answered"),
    )
    .advise("nothing is to be done: a direct way is tried again, once a minute at least")
}

/// The network keeps its users apart.
pub(super) fn kept_apart(name: &str, relay: Option<&str>) -> Finding {
    let reached = match relay {
        Some(relay) => format!("is reached through {relay} alone"),
        None => "nobody here reaches both of you".to_owned(),
    };
    let what = format!(
        "this network keeps its users apart: {name} is on it as well, never answers there, and {reached}"
    );
    Finding::new(Cause::KeptApart, what)
        .advise("use another network (a cable, a hotspot of your own), or have its client isolation switched off")
}

/// Somebody takes nothing.
pub(super) fn unread(name: &str, waiting: u64) -> Finding {
    let waiting = counted(usize::try_from(waiting).unwrap_or(usize::MAX), "message", "messages");
    Finding::new(
        Cause::Unread,
        format!("{name} is here and takes nothing: {waiting} of yours wait"),
    )
    .advise("their program may be stopped, or its output not read")
}

/// Everybody here is reached directly.
pub(super) fn all_reached(people: usize) -> Finding {
    let what = match people {
        0 => "the nodeset answers; nobody else is here".to_owned(),
        1 => "the nodeset answers, and the one who is here is reached directly".to_owned(),
        more => format!("the nodeset answers, and all {more} who are here are reached directly"),
    };
    Finding::new(Cause::Well, what)
}
