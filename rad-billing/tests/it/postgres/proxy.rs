//! A proxy on the loopback that cuts connections where a test wants it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Stands between clients and a server.
pub(super) struct Proxy {
    address: SocketAddr,
    cut: Arc<Mutex<Option<Cut>>>,
}

/// Where to cut: before or after what comes from the client the so many-th time from now on is passed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// How much is passed on before.
    pub(super) after: usize,
    /// Whether the server still gets it, and only its answer is lost.
    pub(super) arrives: bool,
}

impl Proxy {
    /// A proxy for a server at `host:port`.
    pub(super) fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, cut) = (listener.local_addr().unwrap(), Arc::default());
        let proxy = Self { address, cut: Arc::clone(&cut) };
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
                let (back_client, back_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let cut = Arc::clone(&cut);
                std::thread::spawn(move || forth(client, server, &cut));
                std::thread::spawn(move || back(back_server, back_client));
            }
        });
        proxy
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts once.
    pub(super) fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = Some(cut);
    }

    /// Whether nothing is to be cut any more; if it still is, it will not be.
    pub(super) fn has_cut(&self) -> bool {
        self.cut.lock().unwrap().take().is_none()
    }
}

/// Passes on what the client sends, until it is time to cut.
fn forth(mut client: TcpStream, mut server: TcpStream, cut: &Mutex<Option<Cut>>) {
    let mut bytes = [0; 1 << 16];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        let now = {
            let mut cut = cut.lock().unwrap();
            match cut.as_mut() {
                Some(Cut { after: 0, .. }) => cut.take(),
                Some(later) => {
                    later.after -= 1;
                    None
                }
                None => None,
            }
        };
        if let Some(Cut { arrives, .. }) = now {
            // The answer must not get through before the connection is cut.
            let _ = client.shutdown(Shutdown::Both);
            if arrives {
                let _ = server.write_all(&bytes[..read]);
            }
            break;
        }
        if server.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Write);
}

/// Passes on what the server sends, until one of them is gone.
fn back(mut server: TcpStream, mut client: TcpStream) {
    let mut bytes = [0; 1 << 16];
    while let Ok(read @ 1..) = server.read(&mut bytes) {
        if client.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
