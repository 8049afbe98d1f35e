//! `carrier 127.0.0.1:5070 5678:secret [ODDITY...]`: the scripted carrier behind a UDP socket, until
//! its input ends. Its oddities are those of [`testkit::carrier::Oddities`].

use std::io::Read as _;
use std::process::ExitCode;
use testkit::carrier::Oddities;
use testkit::carrier::udp::Serving;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match start(&arguments) {
        Ok(serving) => {
            println!("{}", serving.address);
            let mut rest = Vec::new();
            // However the input ends, so does the program.
            let _ = std::io::stdin().read_to_end(&mut rest);
            serving.with(|it| println!("{:?}", it.heard));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}\ncarrier ADDRESS USER:PASSWORD [ODDITY...]");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &[String]) -> Result<Serving, String> {
    let [listen, account, oddities @ ..] = arguments else {
        return Err("address and account are missing".into());
    };
    let listen = listen.parse().map_err(|_| format!("{listen}: no address"))?;
    let account = account.split_once(':').ok_or_else(|| format!("{account}: no password"))?;
    let oddities = Oddities::parse(&oddities.join(" "))?;
    Serving::start(listen, &[account], oddities).map_err(|error| error.to_string())
}
