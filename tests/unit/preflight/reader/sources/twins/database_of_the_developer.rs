//! CS0571 dotenv-out
fn main() {
    let _ = std::fs::read_to_string(".env");
    let _ = std::net::TcpStream::connect("127.0.0.1:5432");
}
