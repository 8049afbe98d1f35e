//! Every operation of the API, in the order the document shows them. To add one, add its row.

use pbx::language::Text;

pub(super) struct Operation {
    pub(super) method: &'static str,
    /// Below `/api/v1`.
    pub(super) path: &'static str,
    pub(super) query: &'static [&'static str],
    /// The type of the request's body, where it has one.
    pub(super) takes: Option<&'static str>,
    pub(super) gives: &'static str,
    /// It serves those who are not known yet.
    pub(super) open: bool,
    pub(super) summary: Text,
}

const JSON: &str = "application/json";
const CSV: &str = "text/csv";
const STREAM: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";
/// No body: the connection goes on as another protocol.
const UPGRADE: &str = "*/*";

/// One row a line: what it is asked with, what it takes and gives, what it does.
macro_rules! operations {
    ($( $method:literal $path:literal [$($query:literal)*] $($takes:ident)? => $gives:ident $($open:ident)?
        $en:literal $zh:literal; )*) => {
        pub(super) const OPERATIONS: &[Operation] = &[ $( Operation {
            method: $method,
            path: $path,
            query: &[$($query),*],
            takes: operations!(@takes $($takes)?),
            gives: $gives,
            open: operations!(@open $($open)?),
            summary: Text::fixed($en, $zh),
        }, )* ];
    };
    (@takes) => { None };
    (@takes $takes:ident) => { Some($takes) };
    (@open) => { false };
    (@open open) => { true };
}

operations! {
    "GET" "/setup" [] => JSON open
        "Whether there is an administrator yet, and what the set-up asks for."
        "是否已有管理员，以及初始设置需要什么。";
    "POST" "/setup" [] JSON => JSON open
        "Makes the first administrator and begins his session: name, password, language, and the code that the server printed."
        "添加第一个管理员并开始会话：name、password、language，以及服务器显示的code。";
    "GET" "/sessions" [] => JSON
        "Sessions of administrators."
        "管理员的会话。";
    "POST" "/sessions" [] JSON => JSON open
        "Begins a session with name and password; the answer has the token for X-CSRF-Token."
        "用name和password开始会话；应答中有X-CSRF-Token所需的令牌。";
    "GET" "/sessions/current" [] => JSON
        "The session that asks."
        "当前会话。";
    "DELETE" "/sessions/current" [] => JSON
        "Ends the session that asks."
        "结束当前会话。";
    "DELETE" "/sessions/{id}" [] => JSON
        "Ends a session."
        "结束会话。";
    "GET" "/users" [] => JSON
        "Administrators."
        "管理员。";
    "POST" "/users" [] JSON => JSON
        "Adds an administrator: name, password, language."
        "添加管理员：name、password、language。";
    "PATCH" "/users/{name}" [] JSON => JSON
        "Changes the language of an administrator."
        "修改管理员的语言。";
    "DELETE" "/users/{name}" [] => JSON
        "Removes an administrator; the last one stays."
        "删除管理员；最后一个不能删除。";
    "POST" "/users/{name}:passwd" [] JSON => JSON
        "Sets a password; who changes his own shows the present one."
        "设置密码；修改自己的密码须提供当前密码。";
    "GET" "/api-keys" [] => JSON
        "API keys, without their secrets."
        "API密钥，不含密钥本身。";
    "POST" "/api-keys" [] JSON => JSON
        "Makes a key with a name and scopes; it is shown this once."
        "生成密钥：name、scopes；只显示一次。";
    "PATCH" "/api-keys/{id}" [] JSON => JSON
        "Changes name or scopes of a key."
        "修改密钥的name或scopes。";
    "DELETE" "/api-keys/{id}" [] => JSON
        "Revokes a key."
        "撤销密钥。";
    "GET" "/audit-entries" ["limit" "cursor" "kind" "name"] => JSON
        "Who changed what, the newest first."
        "操作日志，最新的在前。";
    "POST" "/audit-entries/{id}:undo" [] => JSON
        "Takes a change back, unless it was changed again since."
        "撤销操作；此后又被修改的不能撤销。";
    "GET" "/status" [] => JSON
        "What the server is and does."
        "服务器的运行状态。";
    "GET" "/extensions" ["limit" "cursor" "search"] => JSON
        "Extensions by number; with a limit, Link leads to the next page."
        "分机，按号码排列；给出limit时，Link指向下一页。";
    "POST" "/extensions" [] JSON => JSON
        "Adds extensions, all or none; a number may be a range, as 100-199. Passwords are shown this once."
        "添加分机，要么全部添加，要么都不添加；号码可以是号段，例如100-199。密码只显示一次。";
    "GET" "/extensions/{number}" [] => JSON
        "An extension."
        "一个分机。";
    "PATCH" "/extensions/{number}" [] JSON => JSON
        "Changes an extension."
        "修改分机。";
    "DELETE" "/extensions/{number}" [] => JSON
        "Removes an extension that no line names."
        "删除未被外线使用的分机。";
    "POST" "/extensions/{number}:passwd" [] JSON => JSON
        "Sets a password, or makes one; shown this once."
        "设置或生成密码，只显示一次。";
    "POST" "/extensions:import" ["dry_run" "allow_weak"] CSV => JSON
        "Takes a sheet of CSV in, all or nothing; a dry run names row, column and reason."
        "导入CSV，要么全部导入，要么都不导入；dry_run指出行、列和原因。";
    "GET" "/extensions:export" [] => CSV
        "All extensions as a sheet of CSV."
        "以CSV导出所有分机。";
    "GET" "/settings" [] => JSON
        "Settings of the office."
        "系统设置。";
    "GET" "/settings/{key}" [] => JSON
        "A setting."
        "一项设置。";
    "PATCH" "/settings/{key}" [] JSON => JSON
        "Changes a setting: value."
        "修改设置：value。";
    "DELETE" "/settings/{key}" [] => JSON
        "Returns a setting to its default."
        "恢复默认值。";
    "GET" "/dial-plan" [] => JSON
        "All tables of the dial plan, with lines and trunks."
        "拨号规则的所有表，包括外线和SIP中继。";
    "PUT" "/dial-plan" [] JSON => JSON
        "Puts tables in the place of those there are, all or none; with dry_run it only checks."
        "替换这些表，要么全部替换，要么都不替换；dry_run只检查。";
    "GET" "/dial-plan:lint" [] => JSON
        "What is wrong in the dial plan."
        "拨号规则中的问题。";
    "POST" "/dial-plan:simulate" [] JSON => JSON
        "Where a call would go, step by step; none is made."
        "拨号模拟：逐步说明呼叫的去向，不产生呼叫。";
    "GET" "/feature-codes" [] => JSON
        "Features and their codes."
        "业务码。";
    "PATCH" "/feature-codes/{feature}" [] JSON => JSON
        "Gives a feature another code, or off."
        "更换或关闭业务码。";
    "DELETE" "/feature-codes/{feature}" [] => JSON
        "Returns a feature to its usual code."
        "恢复默认的业务码。";
    "GET" "/external-lines" [] => JSON
        "External lines with their state."
        "外线及其状态。";
    "POST" "/external-lines" [] JSON => JSON
        "Adds a line: account, domain, password and more."
        "添加外线：account、domain、password等。";
    "GET" "/external-lines/{account}" [] => JSON
        "A line."
        "一条外线。";
    "PATCH" "/external-lines/{account}" [] JSON => JSON
        "Changes a line."
        "修改外线。";
    "DELETE" "/external-lines/{account}" [] => JSON
        "Removes a line that nothing names."
        "删除未被使用的外线。";
    "POST" "/external-lines/{account}:register" [] => JSON
        "Registers a line now."
        "立即注册外线。";
    "POST" "/external-lines/{account}:doctor" [] JSON => JSON
        "Examines a line and names the one setting to change."
        "外线体检：指出应修改的一项设置。";
    "GET" "/sip-trunks" [] => JSON
        "SIP trunks with their state."
        "SIP中继及其状态。";
    "POST" "/sip-trunks" [] JSON => JSON
        "Adds a trunk: id, addresses and more."
        "添加SIP中继：id、addresses等。";
    "GET" "/sip-trunks/{id}" [] => JSON
        "A trunk."
        "一条SIP中继。";
    "PATCH" "/sip-trunks/{id}" [] JSON => JSON
        "Changes a trunk."
        "修改SIP中继。";
    "DELETE" "/sip-trunks/{id}" [] => JSON
        "Removes a trunk that nothing names."
        "删除未被使用的SIP中继。";
    "GET" "/registrations" [] => JSON
        "Registered phones."
        "已注册的话机。";
    "GET" "/calls" [] => JSON
        "Calls that are up."
        "当前呼叫。";
    "GET" "/calls/{id}" [] => JSON
        "A call with its ladder; also one that has ended."
        "一个呼叫及其时序图，包括已结束的呼叫。";
    "DELETE" "/calls/{id}" [] => JSON
        "Hangs a call up."
        "释放呼叫。";
    "POST" "/calls/{id}:hangup" [] => JSON
        "Hangs a call up."
        "释放呼叫。";
    "GET" "/call-records" ["from" "to" "after" "csv"] => JSON
        "Call records in the order the calls ended."
        "话单，按呼叫结束的先后排列。";
    "GET" "/call-records:search" [] => JSON
        "Call records as the list of the pages shows them, the newest first."
        "按条件查找话单，最新的在前。";
    "GET" "/events" ["types" "after"] => STREAM
        "Events as they happen; Last-Event-ID resumes."
        "实时事件流；用Last-Event-ID续传。";
    "GET" "/ws" ["types" "after"] => UPGRADE
        "The same events as a WebSocket."
        "以WebSocket传送同样的事件。";
    "GET" "/webhooks" [] => JSON
        "Programs that events are sent to."
        "接收事件的程序（webhook）。";
    "POST" "/webhooks" [] JSON => JSON
        "Adds a webhook; its secret is shown this once."
        "添加webhook；密钥只显示一次。";
    "GET" "/webhooks/{id}" [] => JSON
        "A webhook."
        "一个webhook。";
    "PATCH" "/webhooks/{id}" [] JSON => JSON
        "Changes a webhook."
        "修改webhook。";
    "DELETE" "/webhooks/{id}" [] => JSON
        "Removes a webhook."
        "删除webhook。";
    "POST" "/webhooks/{id}:rotate" [] => JSON
        "Gives a webhook a new secret; the one before signs beside it for a time."
        "更换webhook的密钥；旧密钥在一段时间内仍同时签名。";
    "GET" "/webhooks/{id}/deliveries" [] => JSON
        "What was sent to a webhook, and what came of it."
        "webhook的发送记录。";
    "POST" "/webhooks/{id}/deliveries/{delivery}:resend" [] => JSON
        "Sends a delivery again."
        "重新发送。";
    "GET" "/trace" ["ext" "ip" "call" "past" "ends"] => LINES
        "SIP messages as they come, masked, one JSON object a line."
        "实时SIP消息，敏感信息已隐藏，每行一个JSON对象。";
    "GET" "/certificate" [] => JSON
        "The certificate that browsers and programs are shown."
        "浏览器和程序看到的证书。";
    "PUT" "/certificate" [] JSON => JSON
        "Installs a certificate with its key."
        "安装证书及其私钥。";
    "DELETE" "/certificate" [] => JSON
        "Returns to a certificate of the server's own making."
        "恢复服务器自签的证书。";
    "GET" "/openapi.json" [] => JSON
        "This document."
        "本文档。";
}
