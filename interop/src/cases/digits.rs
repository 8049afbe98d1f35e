//! Digits that change their form on the way to a carrier, with baresip there, which knows RFC 4733.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::joined::{join, office};
use super::setup::{CALLER_MARK, registered};
use crate::baresip::{Account, Baresip};
use crate::clock;
use crate::report::Context;
use crate::rtp::{Media, TONE_HZ, audio_address};
use crate::server::{LOCALHOST, PASSWORD};

/// Packets of voice between the digits, 20 ms each.
const PACKETS: usize = 100;

/// Of the two seconds that are sent. Unit: seconds.
const HEARD_S: f64 = 1.0;

/// A phone sends INFO; by a trunk with `dtmf = rtp` baresip hears telephone events, amid the voice and without it.
pub(super) fn info_to_events(context: &Context) -> Result<()> {
    let ours = office(context, "office", 41, "1")?;
    let carrier = office(context, "carrier", 42, "2")?;
    join(&ours, &carrier, &[("2", &[1])])?;
    join(&carrier, &ours, &[])?;
    ours.json(&["trunk", "set", "1", "--dtmf", "rtp"])?;
    let account = Account {
        number: "201",
        password: PASSWORD,
        server: carrier.udp(),
        transport: "udp",
        local: LOCALHOST,
        tone_hz: 440,
        auto_answer: true,
    };
    let mut baresip = Baresip::start(&context.subfolder("baresip")?, account)?;

    let mut phone = registered(&ours, "101")?;
    let mut media = Media::new(LOCALHOST, CALLER_MARK)?;
    let sent = phone.invite("201", &media.sdp()?)?;
    let answer = phone.expect(&sent, 200)?;
    let mut dialog = phone.ack(&sent, &answer)?;
    baresip.wait("CALL_ESTABLISHED")?;
    let to = audio_address(&answer.body_text())?;

    let mut press = |phone: &mut crate::phone::Phone, digit: char| -> Result<()> {
        dialog.cseq += 1;
        let body = format!("Signal={digit}\r\nDuration=160\r\n");
        let mut info = phone.within(&dialog, "INFO", dialog.cseq)?;
        info = info.with("Content-Type", "application/dtmf-relay");
        info.body = body.into_bytes();
        let answer = phone.transact(&info)?;
        ensure!(answer.status() == Some(200), "INFO: {}", answer.start);
        Ok(())
    };
    // No voice has come yet: a phone with its microphone off.
    press(&mut phone, '5')?;
    press(&mut phone, '6')?;
    baresip.wait_digit("5")?;
    for packet in 0..PACKETS {
        if packet == PACKETS / 4 {
            press(&mut phone, '#')?;
        }
        media.send_tone(to)?;
        clock::pause(Duration::from_millis(20));
    }
    // In the silence after it: baresip hears the last one when more comes.
    press(&mut phone, '7')?;
    press(&mut phone, '8')?;
    press(&mut phone, '9')?;
    for digit in ["6", "#", "7", "8"] {
        baresip.wait_digit(digit)?;
    }
    baresip.wait_heard(TONE_HZ, HEARD_S)?;
    phone.bye(&mut dialog)?;
    baresip.wait("CALL_CLOSED").map(drop)
}
