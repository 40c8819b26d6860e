//! What systemd wants to know of a service: sd_notify(3), without its library.

use std::env;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use crate::driver::os::environment::variable;

/// The socket of the service manager, if there is one.
#[derive(Debug)]
pub(crate) struct Notify {
    manager: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    pub(crate) fn from_env() -> Self {
        let manager = manager();
        let watchdog = watchdog().filter(|_| manager.is_some());
        Self { manager, watchdog }
    }

    /// Tells the manager. One that does not listen is not waited for.
    pub(crate) fn tell(&self, state: &str) {
        if let Some((socket, addr)) = &self.manager
            && let Err(error) = socket.send_to_addr(state.as_bytes(), addr)
        {
            log::debug!("cannot notify the service manager: {error}");
        }
    }

    /// How often the manager wants to hear that we are alive: twice as often as it says.
    pub(crate) const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }
}

fn manager() -> Option<(UnixDatagram, SocketAddr)> {
    let path = variable("NOTIFY_SOCKET")?;
    let addr = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => abstract_address(name)?,
        None => SocketAddr::from_pathname(Path::new(&path)).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, addr))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> Option<SocketAddr> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;

    SocketAddr::from_abstract_name(name).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_name: &[u8]) -> Option<SocketAddr> {
    None
}

fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    if number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id())) {
        return None;
    }
    let us = number("WATCHDOG_USEC").filter(|&us| us > 0)?;
    Some(Duration::from_micros(us / 2))
}
