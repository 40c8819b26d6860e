//! Every named scenario of the simulator, one test each: `cargo run -p chatrpc-sim -- scenario NAME
//! --trace` shows what happens in one.

use chatrpc_sim::scenario::{SCENARIOS, play};

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            if let Err(violation) = play(stringify!($name), None) {
                panic!("{violation}");
            }
        })*

        #[test]
        fn none_is_left_out() {
            let tested = [$(stringify!($name)),*];
            let left_out = SCENARIOS.iter().find(|scenario| !tested.contains(&scenario.name));
            assert!(left_out.is_none(), "{left_out:?}");
        }
    };
}

scenarios! {
    two_node_hello
    loss_30_chat
    burst_wifi
    burst_cellular
    burst_satellite
    duplicate_x5
    reorder_2s
    late_duplicate_10_min
    partition_30s
    partition_5_min
    bridge
    ring_of_7
    apart
    apart_relay_dies
    apart_direct_again
    apart_one_way
    apart_alone
    nat_relayed
    nat_direct
    nat_told
    nat_punched
    nat_forgets
    nat_beside
    nat_alone
    deaf_or_dead
    slow_lines
    small_links
    small_one_way
    small_meanwhile
    small_loss
    one_way
    crash_author_mid_burst
    crash_in_a_crowd
    restart_same_address
    restart_elsewhere
    laptop_sleep_10_min
    sleep_ends_in_3_s
    join_storm_100
    goodbye_unheard
    log_newcomer
    log_author_dies
    log_split
    log_in_order
    mass_leave
    flash_restart_20
    name_taken
    two_alices_after_partition
    quiet_day_24h
    quiet_handshakes
    leave_under_loss
    message_to_a_dead_peer
    roaming
    rebind
    rebind_together
    rebind_without_nodeset
    rebind_in_silence
    rebind_while_others_talk
    nodeset_dies_for_ever
    nodeset_restarts_empty
    nodeset_stale_entry
    through_a_member
    through_two_members
    through_who_leaves
    storm_through_a_member
    found_one_by_one
    found_at_once
    two_rooms_on_a_wire
    a_sealed_room_beside
    told_and_untold
    big_room
    random_datagrams
    spoofed_flood
    redirected
    mutated_datagrams
}
