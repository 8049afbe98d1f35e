//! `dialtone version` and `dialtone status`.

use super::client::Client;
use super::output::{Output, plain};
use super::{Common, Result, block_on};
use pbx::text;
use serde_json::json;
use web::resource::Status;

pub(super) fn run(output: &mut Output) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    output.show(&json!({ "name": "dialtone", "version": version }), |_, _| {
        format!("dialtone {version}")
    })
}

pub(super) fn status(common: &Common, output: &mut Output) -> Result<()> {
    let socket = common.socket_path()?;
    let status: Status =
        block_on(async { Client::required(&socket).await?.get("/api/v1/status").await })?;
    output.show(&status, |it, language| {
        let Status { version, uptime_s, registrations, calls, .. } = it;
        let state = if it.ready { text!("ready", "就绪") } else { text!("starting", "正在启动") };
        let [udp, tcp, http, https] =
            [&it.sip_udp, &it.sip_tcp, &it.http, &it.https].map(|it| it.join(" "));
        let text = text!(
            "dialtone {version}, up {uptime_s} s, {}\nsip udp {udp}\nsip tcp {tcp}\nhttp    {http}\nhttps   {https}\n\
             {registrations} registrations, {calls} calls",
            "dialtone {version}，已运行{uptime_s}秒，{}\nsip udp {udp}\nsip tcp {tcp}\nhttp    {http}\nhttps   {https}\n\
             注册{registrations}个，呼叫{calls}个",
            state
        );
        let standby = text!(
            "\nSTANDBY: no line registers and no trunk is used until `dialtone standby off`",
            "\n待命状态：外线不注册、中继不使用，直到运行`dialtone standby off`"
        );
        let standby = if it.standby { standby.get(language) } else { "" };
        let troubles = it.troubles.iter().flat_map(|it| [&it.sentence, &it.remedy]);
        let troubles: String = troubles.map(|it| format!("\n{}", plain(it.get(language)))).collect();
        format!("{}{standby}{troubles}", text.get(language))
    })
}
