//! Prints `docs/release-codes.md` from `pbx::release` and `pbx::verdict`; `cargo xtask codegen` writes it.

#![expect(clippy::print_stdout, reason = "its output is the file")]

use pbx::finding::Finding;
use pbx::release::ReleaseCode;
use pbx::verdict;

const HEAD: &str = "\
# Release codes / 释放码

Generated from `crates/pbx/src/release.rs` and `crates/pbx/src/verdict/remedy.rs` by `cargo xtask codegen`; do not edit.

A release code says who ended a call and why: `side.reason`.
It is the code of the verdict on the call, which `dialtone calls show ID` puts in a sentence with the facts that led to it.
It is `callTag=` in the FCI field of a call record, and the label of the release metric.
*Side* is whose fault it is as a rule: caller, callee, us (this server and its settings), the network, or nobody.
*Status* is the final SIP status the caller gets where the call was not answered; *cause* is the Q.850 cause, which the peer's own Reason header overrides.

释放码说明呼叫由哪一方、因何结束，即呼叫的判定结果，`dialtone calls show ID` 显示判定语句及其依据；它写在话单 FCI 字段的 `callTag=` 中，也是释放指标的标签。
“责任方”为通常的责任方：caller（主叫）、callee（被叫）、us（本服务器及其设置）、network（网络）或nobody（无）。
“状态”是呼叫未应答时主叫收到的最终 SIP 状态码；“原因”是 Q.850 原因值，对端 Reason 头中的原因值优先。

| code 释放码 | side 责任方 | status 状态 | cause 原因 | meaning | 含义 | remedy | 处理建议 |
|---|---|---|---|---|---|---|---|";

const FINDINGS: &str = "
## Findings that no call ends with / 不作为释放码的检查结果码

`dialtone line doctor` and the states of lines and trunks use the codes above for what would end a call, and these for the rest.
They are generated from `crates/pbx/src/finding.rs`.

`dialtone line doctor` 以及外线和SIP中继的状态沿用上述释放码；不会导致呼叫释放的情况使用下列检查结果码。

| code 检查结果码 | meaning | 含义 |
|---|---|---|";

fn main() {
    println!("{HEAD}");
    for code in ReleaseCode::ALL {
        let (status, cause) = (code.status(), code.cause());
        let (text, remedy) = (code.text(), verdict::remedy(*code));
        let side = verdict::guilty(*code).as_str();
        println!(
            "| `{code}` | {side} | {status} | {cause} | {} | {} | {} | {} |",
            text.en, text.zh, remedy.en, remedy.zh
        );
    }
    println!("{FINDINGS}");
    for finding in Finding::OTHERS {
        let text = finding.sentence();
        println!("| `{}` | {} | {} |", finding.as_str(), text.en, text.zh);
    }
}
