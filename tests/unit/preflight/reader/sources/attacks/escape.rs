//! CS0570 kernel-path
fn main() {
    let _ = std::os::unix::net::UnixStream::connect("/var/run/docker.sock");
}
