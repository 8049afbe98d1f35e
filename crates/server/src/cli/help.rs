//! The Chinese help: English stands beside the commands and options, as their documentation; this is the other half.
//!
//! What clap itself says (headings, its errors) is translated when it is shown, in [`super::usage`].

use clap::{Arg, Command};

/// By the words of the command.
const COMMANDS: &[(&str, &str)] = &[
    ("", "IP-PBX和SIP服务器"),
    ("serve", "运行服务器"),
    ("check-config", "显示生效的配置及各项的来源"),
    ("ext", "管理分机"),
    ("ext add", "添加分机；密码自动生成，只显示一次"),
    ("ext list", "列出所有分机"),
    ("ext set", "修改分机"),
    ("ext del", "删除分机"),
    ("ext passwd", "重新生成或指定密码"),
    ("ext import", "从CSV文件（number,password,name,...）添加分机，要么全部添加，要么都不添加"),
    ("line", "管理外线：用账号和密码注册到运营商"),
    ("line list", "列出所有外线及当前状态"),
    ("line show", "显示一条外线的所有配置和状态"),
    ("line add", "添加外线并立即注册"),
    ("line set", "修改外线，不影响正在进行的呼叫"),
    ("line del", "删除外线；仍被使用的外线不能删除"),
    ("line register", "立即注册外线"),
    (
        "line doctor",
        "外线体检：指出应修改的一项设置；有问题时退出码为1。最多发送5次REGISTER和2次INVITE；不加--apply不作任何修改",
    ),
    ("trunk", "管理SIP中继：以地址识别的对端服务器"),
    ("trunk list", "列出所有SIP中继及当前状态"),
    ("trunk show", "显示一条SIP中继的所有配置和状态"),
    ("trunk add", "添加SIP中继"),
    ("trunk set", "修改SIP中继，不影响正在进行的呼叫"),
    ("trunk del", "删除SIP中继；仍被使用的SIP中继不能删除"),
    ("import", "导入其他程序的配置"),
    ("import mss", "导入mss_var_param.ini中的变量，并指出哪些变量未知"),
    ("setting", "管理系统设置"),
    ("setting list", "列出所有设置"),
    ("setting get", "显示一项设置"),
    ("setting set", "修改设置，从下一个请求或呼叫起生效"),
    ("setting reset", "恢复默认值"),
    ("feature", "管理业务码：话机拨打以启动功能的号码"),
    ("feature list", "列出所有功能及业务码"),
    ("feature set", "更换业务码，从下一个呼叫起生效"),
    ("feature off", "关闭业务码"),
    ("feature reset", "恢复默认的业务码"),
    ("dialplan", "管理拨号规则：呼叫去往何处"),
    ("dialplan simulate", "拨号模拟：显示一个呼叫每一步的判断，不产生真实呼叫"),
    ("dialplan lint", "检查拨号规则；有错误时退出码为1"),
    (
        "dialplan export",
        "将拨号规则、外线和SIP中继的所有表写入TOML文件，或写入供电子表格使用的CSV文件，不含密码",
    ),
    ("dialplan import", "用TOML文件或CSV文件替换这些表，要么全部替换，要么都不替换"),
    ("registrations", "列出已注册的话机"),
    ("registrations history", "显示一个分机的话机及其最近的变更：注册、离线、被拒绝"),
    ("registrations logoff", "注销一个分机的所有话机；话机可以重新注册"),
    ("calls", "列出当前呼叫"),
    ("calls show", "显示一个呼叫的详情和时序图"),
    ("calls hangup", "释放呼叫"),
    ("calls place", "发起呼叫：先呼叫分机，应答后再以其权限呼叫号码"),
    ("calls transfer", "将已应答呼叫的一方转接到号码；对方应答后释放另一方"),
    ("top", "实时话单，按q键退出"),
    ("webhook", "Webhook：把事件发送到指定地址"),
    ("webhook list", "列出所有Webhook"),
    ("webhook add", "添加Webhook；用于签名的密钥只显示一次"),
    ("webhook set", "修改Webhook，或重新启用"),
    ("webhook del", "删除Webhook及其投递记录"),
    ("webhook rotate", "更换密钥；旧密钥在一天之内同时签名"),
    ("webhook log", "列出投递记录，最新的在前"),
    ("webhook resend", "重新投递"),
    ("cdr", "话单"),
    ("cdr export", "导出话单"),
    ("trace", "以时序图实时显示SIP消息"),
    ("admin", "管理员：谁可以登录管理页面"),
    ("admin list", "列出所有管理员"),
    ("admin add", "添加管理员；密码自动生成，只显示一次"),
    ("admin passwd", "重新生成或指定密码；使用旧密码的会话随即结束"),
    ("admin del", "删除管理员；最后一个不能删除"),
    ("admin totp", "两步验证"),
    ("admin totp off", "管理员丢失手机时，允许其仅凭密码登录"),
    ("admin setup-code", "显示设置码，用于在浏览器中添加第一个管理员"),
    ("apikey", "API密钥：哪些程序可以通过HTTP使用API"),
    ("apikey list", "列出所有API密钥，不含密钥本身"),
    ("apikey add", "生成API密钥，只显示一次"),
    ("apikey revoke", "撤销API密钥"),
    ("audit", "操作日志：谁修改了什么"),
    ("audit list", "列出最近的操作，最新的在前"),
    ("audit undo", "撤销一项操作；此后又被修改的不能撤销"),
    ("cert", "管理页面和API使用的证书"),
    ("cert show", "显示当前证书"),
    ("cert install", "使用另一个证书，对新连接生效"),
    ("cert reset", "恢复使用服务器自签的证书"),
    ("backup", "备份所有配置和记录"),
    ("backup create", "备份当前数据，保存在数据目录的backups文件夹中"),
    ("backup list", "列出本机的所有备份"),
    ("backup show", "显示一个备份的内容概要"),
    ("backup del", "删除备份"),
    ("restore", "用备份替换当前数据；替换前先备份当前数据"),
    ("standby", "以--standby恢复之后的待命状态"),
    ("standby off", "结束待命：外线开始注册，中继可用"),
    ("status", "显示服务器的运行状态"),
    ("version", "显示版本"),
    ("docs", "输出由代码生成的文档"),
];

/// By the words of the command, or of the group it belongs to, and the name of the argument; by the name alone where it
/// means the same everywhere.
const ARGUMENTS: &[(&str, &str)] = &[
    ("json", "以JSON格式输出"),
    ("lang", "输出所用的语言[默认由环境变量DIALTONE_LANG、LC_ALL、LC_MESSAGES、LANG决定]"),
    ("config", "读取该配置文件"),
    ("data_dir", "数据目录[默认：源码目录中为./data，安装后为/var/lib/dialtone]"),
    (
        "socket",
        "控制套接字：`serve`在此监听，其他命令通过它与服务器通信[默认：数据目录下的dialtone.sock]",
    ),
    ("settings", "指定一项配置，例如`--set sip.udp=127.0.0.1:5070`"),
    ("serve office", "数据库为空时建立分机100、101、102，密码随机生成"),
    ("serve demo", "数据库为空时建立100/100、101/101、102/102，仅接受来自私网的注册"),
    ("check-config file", "检查该文件"),
    ("numbers", "号码，或号段，例如1000-10999"),
    ("number", "分机号"),
    (
        "password",
        "指定密码而不自动生成；其他用户可在进程列表中看到，可改用`--password-file -`从标准输入读取",
    ),
    ("password_file", "从该文件读取密码；`-`表示标准输入"),
    ("allow_weak", "允许弱密码；这些分机仅接受来自私网的注册"),
    ("name", "向被叫显示的名称"),
    ("devices", "同时注册的话机数，1至32；大于1即有“一号多机”权限"),
    ("calls", "并发呼叫数，1至100"),
    ("relay", "是否转发媒体流"),
    ("media_source", "接受来自哪些源地址的媒体流"),
    ("address", "无需密码即可呼叫的地址、地址:端口或网段，可多次指定"),
    ("no_address", "清除所有地址"),
    ("digest_without_qop", "是否接受不带qop的摘要鉴权（老话机）"),
    ("plan", "所用的拨号计划"),
    ("levels", "呼叫级别，1至16，例如1,2；\"\"表示全部取消"),
    ("forward_busy", "遇忙时转移到该号码；\"\"表示取消。设置号码时同时给予权限"),
    ("forward_unreachable", "没有话机注册或响应时转移到该号码"),
    ("forward_no_answer", "无应答时转移到该号码"),
    ("forward_always", "无条件转移到该号码"),
    (
        "may_forward",
        "话机可设置的呼叫转移：busy（遇忙）,unreachable（不可达）,no-answer（无应答）,always（无条件）；\"\"表示全部取消",
    ),
    ("do_not_disturb", "是否免打扰：话机不振铃"),
    ("call_waiting", "是否有呼叫等待权限：通话中可接到新的来电；无此权限时为忙"),
    ("calls_in", "同时呼入数，0至100；0表示不能呼入"),
    ("calls_out", "同时呼出数，0至100；0表示不能呼出"),
    ("pickup_group", "呼叫代答组编号：话机可代答组内其他分机的来电；0表示无"),
    ("ring", "振铃时长，1至600秒；0表示采用系统设置"),
    ("webhook", "Webhook编号，见`list`"),
    ("webhook add url", "http://主机[:端口]/路径或https://主机[:端口]/路径"),
    ("url", "改为发送到该地址"),
    ("webhook enabled", "是否向其发送事件"),
    ("types", "只发送这些事件，例如`call.*,line.state_changed`"),
    ("webhook description", "列表中的说明"),
    ("delivery", "投递编号，见`log`"),
    ("plain", "每个变化输出一行，不绘制界面；输出不是终端时也是如此"),
    ("ext add csv", "将号码和密码写入该新文件（权限0600），不再显示"),
    ("ext import file", "CSV文件"),
    ("ext import csv", "将号码和生成的密码写入该新文件（权限0600），不再显示"),
    ("account", "外线的账号"),
    ("line doctor call", "同时呼叫该号码，可能产生费用；振铃3秒或应答后即释放"),
    ("apply", "修改所发现的设置"),
    ("messages", "显示非绿项的消息"),
    ("trunk id", "SIP中继编号"),
    (
        "line add password",
        "运营商给的密码；其他用户可在进程列表中看到，可改用`--password-file -`从标准输入读取",
    ),
    (
        "line set password",
        "运营商给的密码；其他用户可在进程列表中看到，可改用`--password-file -`从标准输入读取",
    ),
    ("description", "描述"),
    ("enabled", "是否启用"),
    ("auth_user", "鉴权用户名；\"\"表示与账号相同"),
    ("domain", "对端域名或地址"),
    ("outbound_proxy", "出局代理，请求发往此处；\"\"表示发往对端域名"),
    ("transport", "传输协议；auto表示由DNS决定"),
    ("register", "是否需要注册"),
    ("expires_s", "注册有效期，60至86400秒"),
    ("new_call_id", "鉴权后的REGISTER使用新的Call-ID（gVarSipRegSameDialog=0）"),
    ("owner", "所属分机；\"\"表示不属于任何分机"),
    ("shared", "其他分机是否可以用它呼出"),
    (
        "incoming",
        "入呼叫的去向：owner（所属分机）、extension:分机号或number:号码（由拨号规则处理）",
    ),
    ("group", "出呼叫群编号，用于选择外线或中继、规整号码；0表示无"),
    ("no_answer_s", "出呼叫的无应答时长，5至600秒；0表示采用系统值"),
    (
        "line add uri_parameters",
        "Request-URI附加参数，例如user=phone；\"\"表示无[默认：系统语言为中文时为user=phone]",
    ),
    (
        "line set uri_parameters",
        "Request-URI附加参数，例如user=phone；\"\"表示无[默认：系统语言为中文时为user=phone]",
    ),
    ("trunk add uri_parameters", "Request-URI附加参数，例如user=phone；\"\"表示无"),
    ("trunk set uri_parameters", "Request-URI附加参数，例如user=phone；\"\"表示无"),
    ("calls_out_max", "最大呼出并发呼叫数；\"\"或unlimited表示不限；0表示禁止呼出"),
    ("calls_in_max", "最大呼入并发呼叫数；\"\"或unlimited表示不限；0表示禁止呼入"),
    (
        "line add caller_number",
        "向被叫显示的号码：account（外线账号）、caller（主叫号码）或fixed:号码",
    ),
    (
        "line set caller_number",
        "向被叫显示的号码：account（外线账号）、caller（主叫号码）或fixed:号码",
    ),
    ("trunk add caller_number", "统一主叫号码，替换所有主叫号码；\"\"表示不替换"),
    ("trunk set caller_number", "统一主叫号码，替换所有主叫号码；\"\"表示不替换"),
    ("from_user", "From的用户部分：主叫号码（caller）或外线账号（account）"),
    ("from_domain", "From的域名；\"\"表示对端域名"),
    ("keep_alive_s", "保持通路的间隔，10至600秒；0表示关闭"),
    ("reliable", "临时响应的可靠性（100rel）：由对端决定、必须使用、不使用"),
    ("identity", "除From外，在哪个头域中给出主叫号码"),
    ("privacy", "请求对端隐藏主叫号码"),
    ("codecs", "按此顺序提供的编码，例如PCMA,PCMU；\"\"表示与话机相同"),
    ("session_expires_s", "会话定时器，90至7200秒；0表示关闭"),
    ("dtmf", "按键的发送方式：原样、媒体流（RFC 4733）、INFO"),
    ("addresses", "服务器地址，可多次指定；优先级数值最小的最先使用[默认：按给出的顺序]"),
    ("sources", "除服务器地址外，允许呼入的网段，可多次指定"),
    ("no_source", "清除所有网段"),
    ("source_ports", "允许呼入的源端口：与服务器端口相同，或任意"),
    ("tel_uri", "号码是否以tel: URI发送"),
    ("options_s", "用OPTIONS检测服务器的间隔，5至600秒；0表示不检测"),
    ("import mss file", "mss_var_param.ini文件"),
    ("import mss line", "只用于该外线（账号），可多次指定[默认：所有外线]"),
    ("import mss dry_run", "只显示将有哪些变化，不做修改"),
    ("key", "设置项"),
    ("setting set value", "多个值以逗号分隔"),
    ("feature", "功能，名称见`list`"),
    ("code", "1至16个0-9、*和#；需要号码的功能，号码接在其后"),
    ("dialplan simulate from", "主叫分机；从外线或SIP中继呼入时为来电号码"),
    ("dialplan simulate dial", "所拨的号码"),
    ("dialplan simulate line", "呼叫从该外线（账号）呼入"),
    ("dialplan simulate trunk", "呼叫从该SIP中继（编号）呼入"),
    (
        "dialplan simulate at",
        "按该日期或时间判断，例如2026-12-25T20:00，以系统的时区为准[默认：当前时间]",
    ),
    ("dialplan simulate dice", "0至99；小于系统黑名单记录的比例时，该记录禁止呼叫[默认：99]"),
    ("dialplan simulate all_up", "假定所有话机、外线和SIP中继均可用且空闲，不考虑呼叫转移"),
    ("dialplan export file", "写入该新文件；使用--csv时为文件夹；`-`表示标准输出"),
    ("dialplan export csv", "每个表写成文件夹中的一个CSV文件"),
    ("dialplan export table", "只写这个表，格式为CSV"),
    (
        "dialplan import file",
        "TOML文件、一个表的CSV文件，或CSV文件的文件夹（只替换其中有的表）；`-`表示标准输入",
    ),
    ("dialplan import table", "CSV文件是哪个表[默认：由文件名决定，例如called.csv]"),
    ("dialplan import dry_run", "只显示将有哪些变化和问题，不做修改"),
    ("calls place from", "首先呼叫的分机"),
    ("calls place to", "随后呼叫的号码"),
    ("auto_answer", "请求话机自动应答"),
    ("leg", "转接哪一方：主叫（caller）或被叫（callee）"),
    ("calls transfer to", "转接到该号码"),
    ("calls watch", "每秒刷新一次，直到中断"),
    ("calls id", "呼叫的完整编号或短编号"),
    ("cdr export from", "从该日期或时间起发起的呼叫，例如2026-11-22或2026-11-22T10:15:00"),
    ("cdr export to", "在该日期或时间之前发起的呼叫"),
    ("cdr export csv", "输出与每日文件相同的CSV，这也是默认格式"),
    ("trace ext", "仅显示From或To中含该号码的消息"),
    ("trace ip", "仅显示与该地址之间的消息"),
    ("trace line", "仅显示含该外线账号或与其运营商之间的消息"),
    ("trace trunk", "仅显示与该SIP中继服务器之间的消息"),
    ("minutes", "到达该时长（分钟）后停止[使用--pcap时默认为5]"),
    ("trace pcap", "将消息以抓包格式写入该新文件，满50 MB后停止"),
    ("trace call", "仅显示该呼叫的消息"),
    ("trace raw", "显示消息原文，敏感信息仍被隐藏"),
    ("trace past", "显示服务器已记录的消息后结束"),
    ("user", "管理员账号"),
    ("purpose", "密钥的用途"),
    (
        "scopes",
        "权限：read（查看）、config（修改配置）、calls（控制呼叫）、admin（管理权限），多项以逗号分隔",
    ),
    ("key_id", "密钥编号，见`list`"),
    ("limit", "最多显示的条数，1至500"),
    ("entry", "操作编号，见`audit list`"),
    ("chain", "PEM文件：服务器证书和中间证书"),
    ("cert install key", "PEM文件：私钥，不带密码"),
    (
        "backup_password",
        "备份的密码，从该文件读取，`-`表示标准输入；有密码的备份可在其他机器上恢复",
    ),
    ("backup", "备份名称，见`list`"),
    ("restore backup", "备份文件，或`backup list`中的名称"),
    ("restore dry_run", "只显示将有哪些变化"),
    ("restore standby", "恢复后外线不注册、中继不使用，直到`dialtone standby off`"),
    ("docs page", "文档页面"),
];

/// The command with its help in Chinese.
pub(super) fn chinese(command: Command) -> Command {
    translated(command, "")
}

fn translated(command: Command, path: &str) -> Command {
    let about = find(COMMANDS, path);
    let command = match about {
        Some(about) => command.about(about).long_about(None::<&str>),
        None => command,
    };
    let command = command.mut_args(|argument| match of_argument(path, &argument) {
        Some(help) => argument.help(help).long_help(None::<&str>),
        None => argument,
    });
    command.mut_subcommands(|inner| {
        let path = below(path, inner.get_name());
        translated(inner, &path)
    })
}

fn of_argument(path: &str, argument: &Arg) -> Option<&'static str> {
    let key = key(path, argument.get_id().as_str())?;
    find(ARGUMENTS, &key)
}

/// The nearest entry for an argument: of its command, of the groups that is in, of all commands.
fn key(path: &str, name: &str) -> Option<String> {
    let groups = std::iter::successors(Some(path), |it| match it.rsplit_once(' ') {
        Some((group, _)) => Some(group),
        None => (!it.is_empty()).then_some(""),
    });
    groups.map(|it| below(it, name)).find(|it| find(ARGUMENTS, it).is_some())
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path} {name}") }
}

fn find(table: &'static [(&str, &str)], key: &str) -> Option<&'static str> {
    table.iter().find(|(it, _)| *it == key).map(|(_, chinese)| *chinese)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory as _;
    use std::collections::BTreeSet;

    /// Keys that were used, and commands and arguments that have no entry.
    fn walk(command: &Command, path: &str, used: &mut BTreeSet<String>, missing: &mut Vec<String>) {
        let mut look = |is_there: bool, key: String| {
            if is_there {
                used.insert(key);
            } else {
                missing.push(key);
            }
        };
        look(find(COMMANDS, path).is_some(), path.to_owned());
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let key = key(path, name);
            assert!(argument.get_help().is_some(), "{path} {name} has no English help");
            look(key.is_some(), key.unwrap_or_else(|| below(path, name)));
        }
        for inner in command.get_subcommands() {
            walk(inner, &below(path, inner.get_name()), used, missing);
        }
    }

    #[test]
    fn every_command_and_argument_has_its_chinese_and_nothing_else_has() {
        let (mut used, mut missing) = (BTreeSet::new(), Vec::new());
        walk(&super::super::Cli::command(), "", &mut used, &mut missing);
        assert_eq!(missing, Vec::<String>::new());
        let entries = COMMANDS.iter().chain(ARGUMENTS);
        let stale: Vec<_> = entries.clone().filter(|(key, _)| !used.contains(*key)).collect();
        assert_eq!(stale, Vec::<&(&str, &str)>::new());
        for (key, chinese) in entries.clone() {
            assert!(!chinese.is_ascii(), "{key}: {chinese}");
        }
        for table in [COMMANDS, ARGUMENTS] {
            let keys: BTreeSet<_> = table.iter().map(|it| it.0).collect();
            assert_eq!(keys.len(), table.len(), "one of two entries is never shown");
        }
    }

    /// The Chinese help of a command.
    fn help_of(words: &[&str]) -> String {
        let mut command = chinese(super::super::Cli::command());
        command.build();
        let found =
            words.iter().fold(&mut command, |it, word| it.find_subcommand_mut(word).unwrap());
        found.render_help().to_string()
    }

    #[test]
    fn one_name_has_the_text_of_its_command() {
        #[rustfmt::skip]
        let table = [
            (["calls", "show"],     "呼叫的完整编号或短编号"),
            (["calls", "transfer"], "呼叫的完整编号或短编号"),
            (["trunk", "show"],     "SIP中继编号"),
            (["webhook", "set"],    "列表中的说明"),
            (["webhook", "set"],    "是否向其发送事件"),
            (["line", "set"],       "描述"),
        ];
        for (words, text) in table {
            let help = help_of(&words);
            assert!(help.contains(text), "{words:?}: {help}");
        }
    }
}
