//! Prints `docs/release-codes.md` from `pbx::release`; `cargo xtask codegen` writes it.

#![expect(clippy::print_stdout, reason = "its output is the file")]

use pbx::release::ReleaseCode;

const HEAD: &str = "\
# Release codes / 释放码

Generated from `crates/pbx/src/release.rs` by `cargo xtask codegen`; do not edit.

A release code says who ended a call and why: `side.reason`.
It is `callTag=` in the FCI field of a call record, and the label of the release metric.
*Status* is the final SIP status the caller gets where the call was not answered; *cause* is the Q.850 cause, which the peer's own Reason header overrides.

释放码说明呼叫由哪一方、因何结束，写在话单 FCI 字段的 `callTag=` 中，也是释放指标的标签。
“状态”是呼叫未应答时主叫收到的最终 SIP 状态码；“原因”是 Q.850 原因值，对端 Reason 头中的原因值优先。

| code 释放码 | status 状态 | cause 原因 | meaning | 含义 |
|---|---|---|---|---|";

fn main() {
    println!("{HEAD}");
    for code in ReleaseCode::ALL {
        let (status, cause) = (code.status(), code.cause());
        let text = code.text();
        println!("| `{code}` | {status} | {cause} | {} | {} |", text.en, text.zh);
    }
}
