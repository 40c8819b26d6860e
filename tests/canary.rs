//! The oracles bite: machines that misbehave on purpose are caught, each by the right oracle. A
//! canary that survives means that green tests prove nothing.

use chatrpc::machine::{Machine, PeerConfig, PeerId};
use chatrpc_sim::faulty::{Faulty, SPOILS, Spoil};
use chatrpc_sim::phases::{self, Options};
use chatrpc_sim::teeth;
use chatrpc_sim::world::MakePeer;

/// Within so many seeds every spoiler must be caught.
const SEEDS: u64 = 30;

fn maker(spoil: Spoil) -> MakePeer {
    macro_rules! one_of {
        ($($kind:ident)*) => {
            match spoil {
                $(Spoil::$kind => {
                    fn make(config: PeerConfig) -> (PeerId, Box<dyn Machine>) {
                        Faulty::boxed(config, Spoil::$kind)
                    }
                    make
                })*
            }
        };
    }
    one_of!(Nothing Drop Repeat Swap Alter DoneTwice NeverDone FalseLeave Ghost NoWake Panic)
}

fn caught_by(spoil: Spoil) -> Vec<&'static str> {
    let options = Options { make_peer: Some(maker(spoil)), ..Options::default() };
    let runs = (0..SEEDS).map(|seed| phases::run(seed, &options, None));
    runs.filter_map(|outcome| Some(outcome.violation?.oracle)).collect()
}

#[test]
fn every_spoiler_is_caught_by_its_oracle() {
    // The panics are planted: their messages would only bury the verdict.
    std::panic::set_hook(Box::new(|_| {}));
    let verdicts: Vec<_> =
        SPOILS.iter().map(|&(spoil, by)| (spoil, by, caught_by(spoil))).collect();
    let _ = std::panic::take_hook();
    for (spoil, oracle, caught) in verdicts {
        let right = caught.iter().filter(|&&by| by == oracle).count();
        println!("{spoil:?}: {} of {SEEDS} seeds, {right} by {oracle}", caught.len());
        assert!(right > 0, "{spoil:?} is not caught by {oracle}, but by {caught:?}");
    }
}

/// The machines change; the needles of the planted bugs have to follow.
#[test]
fn every_needle_still_matches() {
    for tooth in teeth::TEETH {
        if let Err(problem) = teeth::matches(tooth) {
            panic!("{problem}");
        }
    }
    assert!(!teeth::TEETH.is_empty());
}
