//! Why a call failed (ux.md 2.1): each cause played by phones and carriers, and what is said of it.

use testkit::ladder::check;

#[test]
fn the_dial_plan_has_no_way() {
    check(
        r#"
        given trunk 1 at=branch prefix=2 level=1
        given blocked 3 called=7000
        alice -> pbx   INVITE 8123
        alice <- pbx   100
        alice <- pbx   404
        alice -> pbx   ACK
        record release=route.no_match guilty=caller facts=unrouted says="No dial-plan row matches 8123." zh="拨号规则中没有与8123匹配的记录。"
        alice -> pbx   INVITE 200
        alice <- pbx   100
        alice <- pbx   403
        alice -> pbx   ACK
        record release=route.denied_level says="100 may not call numbers starting with 2 (call level 1 needed)." zh="100没有呼叫前缀2的权限（需要呼叫级别1）。"
        alice -> pbx   INVITE 7000
        alice <- pbx   100
        alice <- pbx   603
        alice -> pbx   ACK
        record release=security.blocked guilty=caller says="The call from 100 to 7000 matches row 3 of the black list."
    "#,
    );
}

#[test]
fn the_phone_is_not_there() {
    check(
        r#"
        given carol unregistered
        given setting expires_default_s=60
        alice -> pbx          INVITE 102
        alice <- pbx          100
        alice <- pbx          480
        alice -> pbx          ACK
        record release=callee.not_registered guilty=callee facts=no-phone says="102 is not registered."
        bob -> pbx            REGISTER expires=0
        bob <- pbx            200
        wait 1h
        alice -> pbx          INVITE 101
        alice <- pbx          100
        alice <- pbx          480
        alice -> pbx          ACK
        record release=callee.not_registered says="101 has not been registered since 08:00." zh="分机101自08:00起未注册。"
    "#,
    );
}

#[test]
fn the_callee_says_no() {
    for (code, release, says) in [
        ("486", "callee.busy", "101 was busy."),
        ("603", "callee.declined", "101 declined the call."),
        ("404", "callee.rejected", "Phone 101 refused the call with 404."),
    ] {
        check(&format!(
            r#"
            alice -> pbx          INVITE 101
            alice <- pbx          100
                     pbx -> bob   INVITE
                     pbx <- bob   {code} reason="Q.850;cause=34;text=\"no circuit\""
                     pbx -> bob   ACK
            alice <- pbx          {code}
            alice -> pbx          ACK
            record release={release} guilty=callee cause=34 fci=callTag={release};cause=34 facts=refused says="{says}"
        "#
        ));
    }
}

#[test]
fn nobody_answers() {
    check(
        r#"
        given setting no_answer_s=15
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   180
        alice <- pbx          180
        wait 15s
        alice <- pbx          480
                 pbx -> bob   CANCEL
        alice -> pbx          ACK
                 pbx <- bob   200 CANCEL
                 pbx <- bob   487 INVITE
                 pbx -> bob   ACK
        record release=callee.no_answer says="101 did not answer within 15 s." zh="被叫101在15秒内无应答。"
    "#,
    );
}

#[test]
fn all_calls_are_in_use() {
    check(
        r#"
        given line 5678 at=telecom out=1
        given 101 calls=1
        bob -> pbx               INVITE 90138
        bob <- pbx               100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  180
        bob <- pbx               180
        alice -> pbx             INVITE 90139
        alice <- pbx             100
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.all_busy guilty=us says="The only outgoing call of line 5678 is in use." zh="外线5678的1路出呼叫已全部占用。"
        alice -> pbx             INVITE 101
        alice <- pbx             100
        alice <- pbx             486
        alice -> pbx             ACK
        record release=callee.limit says="Extension 101 has its only call in use."
        bob -> pbx               CANCEL
        bob <- pbx               200
        bob <- pbx               487
                 pbx -> telecom  CANCEL
        bob -> pbx               ACK
                 pbx <- telecom  200 CANCEL
                 pbx <- telecom  487 INVITE
                 pbx -> telecom  ACK
    "#,
    );
}

#[test]
fn the_line_is_not_registered() {
    let call = |answer: &str, verdict: &str| {
        check(&format!(
            r#"
            given line 5678 at=telecom unregistered
            wait 0s
                 pbx -> telecom   REGISTER
                 {answer}
            alice -> pbx          INVITE 90138
            alice <- pbx          100
            alice <- pbx          503
            alice -> pbx          ACK
            record {verdict}
            change line 5678 deleted
        "#
        ));
    };
    call(
        "pbx <- telecom   403",
        r#"release=line.not_registered guilty=us facts=unregistered,unrouted says="Line 5678 was not registered (403 from the carrier, 08:00)." zh="外线5678未注册（运营商返回403，08:00）。""#,
    );
    call(
        "pbx <- telecom   401\n pbx -> telecom REGISTER\n pbx <- telecom 400 header=\"P-Registrar-Error:Invalid CSeq number\"",
        r#"release=line.reg_cseq guilty=network says="Line 5678 was not registered (The carrier refuses the second REGISTER of one Call-ID, 08:00).""#,
    );
    call(
        "pbx <- telecom   401\n pbx -> telecom REGISTER\n pbx <- telecom 401 challenge=\"realm=telecom, nonce=n2\"",
        "release=line.auth_failed guilty=us",
    );
}

#[test]
fn the_carrier_refuses_the_call() {
    for (line, code, told, verdict) in [
        (
            "caller=caller",
            "403",
            "403",
            r#"release=line.rejected_from guilty=us sure=likely says="The carrier wants the account 5678 as caller number; the call showed 100." zh="运营商要求主叫号码为账号5678，而呼叫中的主叫号码为100。""#,
        ),
        (
            "caller=account",
            "403",
            "403",
            r#"release=line.rejected guilty=network says="Line 5678: The carrier refused the call. (403)""#,
        ),
        (
            "uri=user=phone",
            "416",
            "416",
            r#"release=line.rejected_uri_param sure=possible says="The carrier does not accept the Request-URI parameters user=phone.""#,
        ),
        (
            "uri=user=phone",
            "404",
            "404",
            r#"release=callee.unknown says="Line 5678 does not know the number 0138 (404).""#,
        ),
        (
            "uri=user=phone",
            "500",
            "503",
            r#"release=line.failed guilty=network says="Line 5678: The carrier could not place the call. (500)""#,
        ),
    ] {
        check(&format!(
            r#"
            given line 5678 at=telecom {line}
            alice -> pbx             INVITE 90138
            alice <- pbx             100
                     pbx -> telecom  INVITE 0138
                     pbx <- telecom  {code}
                     pbx -> telecom  ACK
            alice <- pbx             {told}
            alice -> pbx             ACK
            record {verdict}
        "#
        ));
    }
}

/// The call goes on without its PRACK; where the carrier then ends it, that was why.
#[test]
fn the_carrier_refuses_the_prack_it_demanded() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
                 pbx <- telecom  183 rseq=1 sdp=answer
        alice <- pbx             183
                 pbx -> telecom  PRACK
                 pbx <- telecom  405 PRACK
                 pbx <- telecom  500 INVITE
                 pbx -> telecom  ACK
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.prack_refused guilty=network facts=prack-refused,refused says="Line 5678 demands reliable responses but refuses PRACK (405)."
    "#,
    );
}

#[test]
fn the_carrier_is_silent() {
    check(
        r#"
        given line 5678 at=telecom
        alice -> pbx             INVITE 90138
        alice <- pbx             100
                 pbx -> telecom  INVITE 0138
        wait 12s resends
        alice <- pbx             503
        alice -> pbx             ACK
        record release=line.no_response guilty=network says="Line 5678 did not respond: no answer from 203.0.113.5:5060." zh="外线5678没有任何响应：203.0.113.5:5060无应答。"
        wait 32s resends
    "#,
    );
}

/// A call of ten seconds between two phones, and the record of its end.
fn call(given: &str, record: &str) {
    check(&format!(
        r#"
        {given}
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 10s
        alice -> pbx          BYE
        alice <- pbx          200
                 pbx -> bob   BYE
                 pbx <- bob   200
        record by=caller status=200 cause=16 {record}
    "#
    ));
}

#[test]
fn nothing_is_wrong() {
    call("", r#"release=caller.hangup guilty=nobody facts="" says="The caller hung up.""#);
}

#[test]
fn one_side_is_not_heard() {
    call(
        "given bob mute",
        r#"release=media.one_way guilty=callee facts=no-packets fci=callTag=media.one_way;cause=16 says="The caller is heard, the callee is not: no packets arrive from the callee. They were expected from 10.0.1.101:40000." zh="单通：能听到主叫，听不到被叫，没有收到被叫侧的语音包。预期来源为10.0.1.101:40000。""#,
    );
    call(
        "given alice mute nat",
        r#"release=media.one_way guilty=caller facts=private-address,no-packets says="The callee is heard, the caller is not: no packets arrive from the caller. It names 10.0.1.100 and comes from 198.51.100.7: its router lets no media out.""#,
    );
    call(
        "given alice mute\ngiven bob mute",
        r#"release=media.none guilty=network says="No audio in either direction: no packets arrived from either side.""#,
    );
}

#[test]
fn a_phone_behind_a_router() {
    call("given bob nat", "release=caller.hangup guilty=nobody facts=private-address");
    call(
        "given bob nat\ngiven 100 relay=never\ngiven 101 relay=never",
        r#"release=media.private_sdp guilty=callee sure=likely says="The phone of the callee names 10.0.1.101 from the internet (198.51.100.7), where the other side cannot reach it; media was not relayed.""#,
    );
}

#[test]
fn no_codec_or_no_encryption_in_common() {
    for (given, verdict) in [
        (
            "codecs=g729",
            r#"release=media.codec says="No common codec: the offer had G729." zh="双方没有共同的语音编码：主叫提供G729。""#,
        ),
        (
            "srtp",
            r#"release=media.crypto sure=likely says="The phone of the caller insists on SRTP, which the callee refuses.""#,
        ),
    ] {
        check(&format!(
            r#"
            given alice {given}
            alice -> pbx          INVITE 101
            alice <- pbx          100
                     pbx -> bob   INVITE
                     pbx <- bob   488
                     pbx -> bob   ACK
            alice <- pbx          488
            alice -> pbx          ACK
            record guilty=callee facts=offered,refused {verdict}
        "#
        ));
    }
}

#[test]
fn the_answer_is_never_acknowledged() {
    check(
        r#"
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK lost
        wait 32s resends
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=dialog.no_ack guilty=caller facts=no-ack says="The ACK of the caller never came back to 10.0.0.1:5060."
    "#,
    );
}

#[test]
fn a_session_that_is_not_refreshed() {
    check(
        r#"
        alice -> pbx          INVITE 101 header=Supported:timer header=Session-Expires:600;refresher=uac
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        wait 10min next
        alice <- pbx          BYE
                 pbx -> bob   BYE
        alice -> pbx          200
                 pbx <- bob   200
        record release=dialog.refresh_failed guilty=caller facts=not-refreshed says="The caller did not refresh the session in time (session timer 600 s)." zh="主叫未按时刷新会话（会话定时器600秒）。"
    "#,
    );
}

#[test]
fn a_phone_disappears() {
    check(
        r#"
        alice -> pbx          INVITE 101
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   200
                 pbx -> bob   ACK
        alice <- pbx          200
        alice -> pbx          ACK
        alice -> pbx          INVITE direction=sendonly
        alice <- pbx          100
                 pbx -> bob   INVITE
                 pbx <- bob   481
                 pbx -> bob   ACK
        alice <- pbx          481
        alice <- pbx          BYE
        alice -> pbx          ACK
        alice -> pbx          200
        record release=dialog.peer_vanished guilty=callee says="The phone of the callee disappeared (Wi-Fi or power?)." zh="被叫话机失联（无线网络或电源？）。"
    "#,
    );
}
