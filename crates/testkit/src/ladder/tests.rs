//! The runner itself: what it refuses, and how it says so.

use super::run;

/// A call that rings, and its usual end.
const RINGING: &str = "
    alice -> pbx          INVITE 101
    alice <- pbx          100
             pbx -> bob   INVITE
             pbx <- bob   180
";
const REFUSED: &str = "
             pbx <- bob   486
             pbx -> bob   ACK
    alice <- pbx          486
    alice -> pbx          ACK
";

#[test]
fn a_ladder_that_shows_everything_passes() {
    let ladder = format!("{RINGING} alice <- pbx 180 \n {REFUSED}");
    assert_eq!(run(&ladder), Ok(()));
}

/// Each of these shows something that does not happen, or hides something that does.
#[test]
fn what_a_ladder_gets_wrong_is_named() {
    #[rustfmt::skip]
    let table = [
        ("alice -> bob 180", "one side is pbx"),
        ("walter -> pbx INVITE 101", "walter is not in the cast"),
        // Not shown.
        (&format!("{RINGING}{REFUSED}"), "before it, the server sent alice: 180 Ringing"),
        (RINGING, "before it, the server sent alice: 180 Ringing"),
        // Not as shown.
        (&format!("{RINGING} alice <- pbx 183"), "the message is \"180\", not \"183\""),
        (&format!("{RINGING} bob <- pbx 180"), "another message came"),
        (&format!("{RINGING} alice <- pbx 180 sdp=answer"), "there is no SDP"),
        (&format!("{RINGING} alice <- pbx 180 resend"), "it was not sent before"),
        (&format!("{RINGING} alice <- pbx 180 \n alice <- pbx 180"), "the server sent nothing"),
        // Not at its time.
        ("alice -> pbx INVITE 101 \n alice <- pbx 100 \n pbx -> bob INVITE lost \n wait 1s",
         "500ms before its end, the server sent bob: INVITE"),
        // Left behind.
        (&format!("{RINGING} alice <- pbx 180"), "after the ladder"),
        (&format!("{RINGING} alice <- pbx 180 {REFUSED} record status=480"),
         "is \"486\", not \"480\""),
        (&format!("{RINGING} alice <- pbx 180 {REFUSED} record answered=no \n record answered=no"),
         "there is no further record"),
    ];
    for (ladder, said) in table {
        let problem = run(ladder).expect_err(ladder);
        assert!(problem.contains(said), "{ladder}\n{said}\n{problem}");
    }
}
