//! Every operation of the API, in the order the document shows them. To add one, add its row: what it reads and writes
//! is taken from its handler.

use super::schemas::Schemas;
use super::told::{Told, told};
use crate::access::{keys, sessions, setup, totp, users};
use crate::certificate::api;
use crate::dial_plan::{self, tables};
use crate::extensions::{self, sheet};
use crate::outside::{lines, trunks};
use crate::records::{self, export, search};
use crate::{
    audit, backups, calls, captures, events, features, live, provisioning, registration_history,
    settings, webhooks,
};
use pbx::language::Text;

pub(super) struct Operation {
    pub(super) method: &'static str,
    /// Below `/api/v1`.
    pub(super) path: &'static str,
    /// What its handler reads and writes.
    pub(super) told: fn(&mut Schemas) -> Told,
    /// How it may refuse, besides what follows from its shape.
    pub(super) refusals: &'static [u16],
    /// The type of a body that is no JSON.
    pub(super) takes: Option<&'static str>,
    pub(super) gives: Option<&'static str>,
    pub(super) summary: Text,
}

const CSV: &str = "text/csv";
const TEXT: &str = "text/plain";
const GZIP: &str = "application/gzip";
const STREAM: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";
const PCAP: &str = "application/vnd.tcpdump.pcap";
/// No body: the connection goes on as another protocol.
pub(super) const UPGRADE: &str = "";

/// One row a line: its handler, how it may refuse, what it takes and gives where that is no JSON, what it does.
macro_rules! operations {
    ($( $method:literal $path:literal $handler:path [$($status:literal)*] $($takes:ident)? $(=> $gives:ident)?
        $en:literal $zh:literal; )*) => {
        pub(super) const OPERATIONS: &[Operation] = &[ $( Operation {
            method: $method,
            path: $path,
            told: |schemas| told($handler, schemas),
            refusals: &[$($status),*],
            takes: operations!(@kind $($takes)?),
            gives: operations!(@kind $($gives)?),
            summary: Text::fixed($en, $zh),
        }, )* ];
    };
    (@kind) => { None };
    (@kind $kind:ident) => { Some($kind) };
}

operations! {
    "GET" "/setup" setup::on_show []
        "Whether there is an administrator yet, and what the set-up asks for."
        "是否已有管理员，以及初始设置需要什么。";
    "POST" "/setup" setup::on_setup [409]
        "Makes the first administrator and begins his session: name, password, language, and the code that the server printed."
        "添加第一个管理员并开始会话：name、password、language，以及服务器显示的code。";
    "GET" "/sessions" sessions::on_list []
        "Sessions of administrators."
        "管理员的会话。";
    "POST" "/sessions" sessions::on_log_in []
        "Begins a session with name and password, and the code of the second factor where there is one; the answer has the token for X-CSRF-Token."
        "用name和password开始会话，启用两步验证时还需code；应答中有X-CSRF-Token所需的令牌。";
    "GET" "/sessions/current" sessions::on_current [404]
        "The session that asks."
        "当前会话。";
    "DELETE" "/sessions/current" sessions::on_log_out [404]
        "Ends the session that asks."
        "结束当前会话。";
    "DELETE" "/sessions/{id}" sessions::on_revoke []
        "Ends a session."
        "结束会话。";
    "GET" "/users" users::on_list []
        "Administrators."
        "管理员。";
    "POST" "/users" users::on_add []
        "Adds an administrator: name, password, language."
        "添加管理员：name、password、language。";
    "GET" "/users/{name}" users::on_show []
        "An administrator."
        "一个管理员。";
    "PATCH" "/users/{name}" users::on_set []
        "Changes the language of an administrator."
        "修改管理员的语言。";
    "DELETE" "/users/{name}" users::on_delete [409]
        "Removes an administrator; the last one stays."
        "删除管理员；最后一个不能删除。";
    "POST" "/users/{name}:passwd" users::on_verb []
        "Sets a password; who changes his own shows the present one."
        "设置密码；修改自己的密码须提供当前密码。";
    "GET" "/users/{name}/totp" totp::on_show []
        "Whether a second factor is asked for, and how many recovery codes are left."
        "是否启用两步验证，以及剩余的恢复码数。";
    "POST" "/users/{name}/totp" totp::on_begin [409]
        "Makes the secret of one's own second factor (TOTP) and shows it once; the password is asked for again."
        "生成本人两步验证（TOTP）的密钥，只显示一次；需再次提供密码。";
    "POST" "/users/{name}/totp:confirm" totp::on_confirm [409]
        "With the first right code it is asked for from now on; the answer has ten recovery codes, shown once."
        "提供第一个正确的验证码后启用；应答中有十个恢复码，只显示一次。";
    "POST" "/users/{name}/totp:renew" totp::on_renew [409]
        "Makes ten other recovery codes in the place of those that are left, shown once; the password is asked for again."
        "重新生成十个恢复码，原有的全部失效，只显示一次；需再次提供密码。";
    "POST" "/users/{name}/totp:off" totp::on_off [409]
        "Gives a second factor up; who gives up his own shows the password."
        "关闭两步验证；关闭本人的需提供密码。";
    "GET" "/api-keys" keys::on_list []
        "API keys, without their secrets."
        "API密钥，不含密钥本身。";
    "POST" "/api-keys" keys::on_add []
        "Makes a key with a name and scopes; it is shown this once."
        "生成密钥：name、scopes；只显示一次。";
    "GET" "/api-keys/{id}" keys::on_show []
        "An API key, without its secret."
        "一个API密钥，不含密钥本身。";
    "PATCH" "/api-keys/{id}" keys::on_set []
        "Changes name or scopes of a key."
        "修改密钥的name或scopes。";
    "DELETE" "/api-keys/{id}" keys::on_delete []
        "Revokes a key."
        "撤销密钥。";
    "GET" "/audit-entries" audit::on_page []
        "Who changed what, the newest first."
        "操作日志，最新的在前。";
    "POST" "/audit-entries/{id}:undo" audit::on_verb []
        "Takes a change back, unless it was changed again since."
        "撤销操作；此后又被修改的不能撤销。";
    "GET" "/status" live::status []
        "What the server is and does."
        "服务器的运行状态。";
    "GET" "/extensions" extensions::on_list []
        "Extensions by number; Link leads to the next page."
        "分机，按号码排列；Link指向下一页。";
    "POST" "/extensions" extensions::on_add []
        "Adds extensions, all or none; a number may be a range, as 100-199. Passwords are shown this once."
        "添加分机，要么全部添加，要么都不添加；号码可以是号段，例如100-199。密码只显示一次。";
    "GET" "/extensions/{number}" extensions::on_show []
        "An extension."
        "一个分机。";
    "PATCH" "/extensions/{number}" extensions::on_set []
        "Changes an extension."
        "修改分机。";
    "DELETE" "/extensions/{number}" extensions::on_delete [409]
        "Removes an extension that no line names."
        "删除未被外线使用的分机。";
    "POST" "/extensions/{number}:passwd" extensions::on_passwd []
        "Sets a password, or makes one; shown this once."
        "设置或生成密码，只显示一次。";
    "POST" "/extensions/{number}:provisioning-token" provisioning::on_token []
        "Makes what the code for the camera of a phone leads to, for who knows the password: good once, for ten minutes."
        "凭分机密码生成扫码配置用的令牌：10分钟内有效，仅可使用一次。";
    "POST" "/extensions:import" sheet::on_import [] CSV
        "Takes a sheet of CSV in, all or nothing; a dry run names row, column and reason."
        "导入CSV，要么全部导入，要么都不导入；dry_run指出行、列和原因。";
    "GET" "/extensions:export" sheet::on_export [] => CSV
        "All extensions as a sheet of CSV."
        "以CSV导出所有分机。";
    "GET" "/settings" settings::on_list []
        "Settings of the office."
        "系统设置。";
    "GET" "/settings/{key}" settings::on_show []
        "A setting."
        "一项设置。";
    "PATCH" "/settings/{key}" settings::on_set []
        "Changes a setting: value."
        "修改设置：value。";
    "DELETE" "/settings/{key}" settings::on_reset []
        "Returns a setting to its default."
        "恢复默认值。";
    "GET" "/dial-plan" tables::on_export []
        "All tables of the dial plan, with lines and trunks."
        "拨号规则的所有表，包括外线和SIP中继。";
    "PUT" "/dial-plan" tables::on_import []
        "Puts tables in the place of those there are, all or none; with dry_run it only checks."
        "替换这些表，要么全部替换，要么都不替换；dry_run只检查。";
    "GET" "/dial-plan:lint" dial_plan::on_lint []
        "What is wrong in the dial plan."
        "拨号规则中的问题。";
    "POST" "/dial-plan:simulate" dial_plan::on_simulate [404]
        "Where a call would go, step by step; none is made."
        "拨号模拟：逐步说明呼叫的去向，不产生呼叫。";
    "GET" "/feature-codes" features::on_list []
        "Features and their codes."
        "业务码。";
    "GET" "/feature-codes/{feature}" features::on_show []
        "A feature and its code."
        "一个业务及其业务码。";
    "PATCH" "/feature-codes/{feature}" features::on_set []
        "Gives a feature another code, or off."
        "更换或关闭业务码。";
    "DELETE" "/feature-codes/{feature}" features::on_reset [422]
        "Returns a feature to its usual code."
        "恢复默认的业务码。";
    "GET" "/external-lines" lines::on_list []
        "External lines with their state."
        "外线及其状态。";
    "POST" "/external-lines" lines::on_add []
        "Adds a line: account, domain, password and more."
        "添加外线：account、domain、password等。";
    "GET" "/external-lines/{account}" lines::on_show []
        "A line."
        "一条外线。";
    "PATCH" "/external-lines/{account}" lines::on_set []
        "Changes a line."
        "修改外线。";
    "DELETE" "/external-lines/{account}" lines::on_delete [409]
        "Removes a line that nothing names."
        "删除未被使用的外线。";
    "POST" "/external-lines/{account}:register" lines::on_register []
        "Registers a line now."
        "立即注册外线。";
    "POST" "/external-lines/{account}:doctor" lines::on_doctor []
        "Examines a line and names the one setting to change."
        "外线体检：指出应修改的一项设置。";
    "GET" "/sip-trunks" trunks::on_list []
        "SIP trunks with their state."
        "SIP中继及其状态。";
    "POST" "/sip-trunks" trunks::on_add []
        "Adds a trunk: id, addresses and more."
        "添加SIP中继：id、addresses等。";
    "GET" "/sip-trunks/{id}" trunks::on_show []
        "A trunk."
        "一条SIP中继。";
    "PATCH" "/sip-trunks/{id}" trunks::on_set []
        "Changes a trunk."
        "修改SIP中继。";
    "DELETE" "/sip-trunks/{id}" trunks::on_delete [409]
        "Removes a trunk that nothing names."
        "删除未被使用的SIP中继。";
    "GET" "/extensions/{number}/registration-history" registration_history::on_history []
        "The phones of an extension that are registered, and the last changes of them: registered, changed, gone, refused, with the reason."
        "分机当前已注册的话机，以及最近的变更：注册、变更、离线、被拒绝及其原因。";
    "GET" "/registrations" live::registrations []
        "Registered phones."
        "已注册的话机。";
    "DELETE" "/registrations/{extension}/{device}" registration_history::on_log_off [503]
        "Ends the registration of a phone; it may register again."
        "注销一部话机；话机可以重新注册。";
    "GET" "/calls" calls::on_list []
        "Calls that are up."
        "当前呼叫。";
    "GET" "/calls/{id}" live::call [409]
        "A call with its ladder; also one that has ended."
        "一个呼叫及其时序图，包括已结束的呼叫。";
    "DELETE" "/calls/{id}" live::hangup [409]
        "Hangs a call up."
        "释放呼叫。";
    "GET" "/calls/{id}/support" calls::on_support [409] => TEXT
        "Everything about a call as one text, for whoever helps; passwords and keys are masked."
        "呼叫的全部信息，作为一个文本文件提供给技术支持；密码和密钥已隐藏。";
    "POST" "/calls" calls::on_place [503]
        "Places a call: the extension from is called, and once it has answered, to, with its rights. The call is on the list of calls by the id in the answer."
        "发起呼叫：先呼叫分机from，应答后以其权限呼叫to。应答中的id即该呼叫的编号。";
    "POST" "/calls/{id}:transfer" calls::on_transfer [409 503]
        "Sends one side (leg: caller or callee) of an answered call to a number; the other one is released once that has answered."
        "将已应答呼叫的一方（leg：caller或callee）转接到号码to；对方应答后释放另一方。";
    "POST" "/calls/{id}:hangup" live::hangup [409]
        "Hangs a call up."
        "释放呼叫。";
    "GET" "/call-records" records::on_page []
        "Call records in the order the calls ended."
        "话单，按呼叫结束的先后排列。";
    "GET" "/call-records:search" search::on_search []
        "Call records as the list of the pages shows them, the newest first."
        "按条件查找话单，最新的在前。";
    "GET" "/call-records:export" export::on_export [] => CSV
        "What is looked for as a file for spreadsheets, all of it, in the columns of the daily files."
        "将查到的全部话单导出为电子表格文件，列与每日话单文件相同。";
    "GET" "/events" events::on_events [] => STREAM
        "Events as they happen; Last-Event-ID resumes."
        "实时事件流；用Last-Event-ID续传。";
    "GET" "/ws" events::on_ws [] => UPGRADE
        "The same events as a WebSocket."
        "以WebSocket传送同样的事件。";
    "GET" "/webhooks" webhooks::on_list []
        "Programs that events are sent to."
        "接收事件的程序（webhook）。";
    "POST" "/webhooks" webhooks::on_add []
        "Adds a webhook; its secret is shown this once."
        "添加webhook；密钥只显示一次。";
    "GET" "/webhooks/{id}" webhooks::on_show []
        "A webhook."
        "一个webhook。";
    "PATCH" "/webhooks/{id}" webhooks::on_set []
        "Changes a webhook."
        "修改webhook。";
    "DELETE" "/webhooks/{id}" webhooks::on_delete []
        "Removes a webhook."
        "删除webhook。";
    "POST" "/webhooks/{id}:test" webhooks::on_test [409]
        "Sends an event of the type webhook.test to the endpoint."
        "向该端点发送一个webhook.test事件。";
    "POST" "/webhooks/{id}:rotate" webhooks::on_rotate []
        "Gives a webhook a new secret; the one before signs beside it for a time."
        "更换webhook的密钥；旧密钥在一段时间内仍同时签名。";
    "GET" "/webhooks/{id}/deliveries" webhooks::on_deliveries []
        "What was sent to a webhook, and what came of it."
        "webhook的发送记录。";
    "POST" "/webhooks/{id}/deliveries/{delivery}:resend" webhooks::on_delivery_verb []
        "Sends a delivery again."
        "重新发送。";
    "GET" "/captures" captures::on_list []
        "Captures of SIP messages, the newest first."
        "抓包列表，最新的在前。";
    "POST" "/captures" captures::on_begin [409]
        "Begins a capture of ext, ip, line or trunk; it ends after minutes (5), or when it is full."
        "开始抓包：ext、ip、line或trunk；minutes（默认5）分钟后或已满时自动停止。";
    "GET" "/captures/{id}" captures::on_show [404]
        "A capture with at most 200 of its messages, masked."
        "一个抓包及其最多200条消息，敏感信息已隐藏。";
    "POST" "/captures/{id}:stop" captures::on_verb [404]
        "Stops a capture."
        "停止抓包。";
    "DELETE" "/captures/{id}" captures::on_delete [404]
        "Forgets a capture."
        "删除抓包。";
    "GET" "/captures/{id}/pcap" captures::on_pcap [404] => PCAP
        "Its messages as a pcap file, each as a UDP datagram, masked."
        "以pcap文件下载，每条消息为一个UDP数据报，敏感信息已隐藏。";
    "GET" "/trace" live::trace [404 409 422] => LINES
        "SIP messages as they come, masked, one JSON object a line."
        "实时SIP消息，敏感信息已隐藏，每行一个JSON对象。";
    "GET" "/certificate" api::on_show [409]
        "The certificate that browsers and programs are shown."
        "浏览器和程序看到的证书。";
    "PUT" "/certificate" api::on_install [409]
        "Installs a certificate with its key."
        "安装证书及其私钥。";
    "DELETE" "/certificate" api::on_reset [409]
        "Returns to a certificate of the server's own making."
        "恢复服务器自签的证书。";
    "GET" "/backups" backups::api::on_list []
        "The backups on this machine."
        "本机的备份。";
    "POST" "/backups" backups::api::on_create [409 507]
        "Makes a backup; with a password another machine can restore it."
        "生成备份；设置password后可在其他机器上恢复。";
    "POST" "/backups:upload" backups::api::on_upload [400 409 413 507] GZIP
        "Takes a backup among those on this machine."
        "上传备份到本机。";
    "GET" "/backups/{name}" backups::api::on_info []
        "What a backup says of itself."
        "备份的内容概要。";
    "GET" "/backups/{name}:download" backups::api::on_show [] => GZIP
        "The file of a backup."
        "下载备份文件。";
    "DELETE" "/backups/{name}" backups::api::on_delete []
        "Removes a backup."
        "删除备份。";
    "POST" "/backups/{name}:preview" backups::api::on_preview [409 507]
        "What a restore would change; the backup is unpacked and checked."
        "恢复将有哪些变化；解开并检查备份。";
    "POST" "/backups/{name}:restore" backups::api::on_restore [409 507]
        "Puts a backup in the place of what there is, of which a backup is made before; the server starts anew. On standby no line registers afterwards."
        "用备份替换当前数据，替换前先备份当前数据；服务器重新启动。standby：之后外线不注册。";
    "GET" "/standby" backups::api::on_standby []
        "Whether lines and trunks are silent after a restore."
        "恢复后外线和中继是否处于待命状态。";
    "DELETE" "/standby" backups::api::on_standby_off []
        "Ends standby: lines register, trunks are used."
        "结束待命：外线开始注册，中继可用。";
    "GET" "/openapi.json" super::on_document []
        "This document."
        "本文档。";
}
