//! Connections: their limit, eviction and timeouts.
//!
//! A connection belongs to the owner once it has sent the token, and stays open whatever other
//! clients do. At the limit a new connection evicts another one: the oldest of the address with the
//! most connections. So the server hears every new client.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use futures_util::{
    FutureExt as _,
    future::{Either, select},
};
use hyper::service::{Service as _, service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use klubok::limits;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket},
    task::{JoinHandle, yield_now},
    time::{Sleep, sleep, timeout},
};

use super::{guard::has_token, hub::Hub};

/// Open connections, at most. [`max_connections`] allows fewer where the process has few file
/// descriptors.
const MAX_CONNECTIONS: usize = 256;
/// File descriptors of a process where the system reports no limit: the smallest usual limit.
const DEFAULT_FILES: u64 = 256;
/// Connections in the backlog of the listener.
const BACKLOG: u32 = 1024;
/// Bytes of the head of a request, at most.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// Timeout for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout for a client that reads nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Duration of a lingering close, at most.
const LINGER_TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes that a lingering close reads and drops, at most.
const MAX_LINGER_BYTES: usize = 1 << 20;
/// Pause after the system has refused a connection.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Standing of a connection without a request so far.
const IDLE: u8 = 0;
/// Standing of a connection with a request.
const REQUESTED: u8 = 1;
/// Standing of a connection that has sent the token.
const OWNER: u8 = 2;

/// Listens at an address, even right after another page has left it.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Returns the limit of open connections: a quarter of the process' file descriptors, as training
/// needs some of them.
pub(super) fn max_connections() -> usize {
    (limits::max_open_files().unwrap_or(DEFAULT_FILES) / 4).clamp(4, MAX_CONNECTIONS as u64)
        as usize
}

/// Serves every connection until it closes, times out or is evicted; returns when the page shuts
/// down.
pub(super) async fn accept(listener: TcpListener, app: Router, hub: &Arc<Hub>) {
    let max_connections = max_connections();
    let mut open: VecDeque<Connection> = VecDeque::new();
    let mut shutdown = hub.shutdown();
    let mut shuts_down = pin!(shutdown.wait_for(|shuts_down| *shuts_down));
    loop {
        // Let the open connections run first: a request that has arrived counts before an eviction.
        yield_now().await;
        let accepted = match select(shuts_down.as_mut(), pin!(listener.accept())).await {
            Either::Left(_) => return,
            Either::Right((accepted, _)) => accepted,
        };
        let Ok((stream, from)) = accepted else {
            // Out of file descriptors, most likely: other connections will close.
            sleep(RETRY_PAUSE).await;
            continue;
        };
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= max_connections {
            let standings = open.iter().map(|of| (of.from, of.standing.load(Relaxed)));
            let evicted = to_evict(&standings.collect::<Vec<_>>());
            evicted.and_then(|index| open.remove(index)).iter().for_each(|of| of.task.abort());
        }
        open.push_back(Connection::serve(stream, from.ip(), app.clone(), hub.clone()));
    }
}

/// Returns the index of the connection to evict; `open` holds address and standing, the oldest
/// first. Takes the larger group of idle and requesting connections, so that a client can fill the
/// server with neither. Within the group, takes the oldest connection of the address with the most.
fn to_evict(open: &[(IpAddr, u8)]) -> Option<usize> {
    let count = |standing| open.iter().filter(|(_, of)| *of == standing).count();
    let (idle, requested) = (count(IDLE), count(REQUESTED));
    let standing = match idle.max(requested) {
        0 => OWNER,
        larger if larger == idle => IDLE,
        _ => REQUESTED,
    };
    let mut addresses: BTreeMap<IpAddr, (usize, Reverse<usize>)> = BTreeMap::new();
    for (index, (from, _)) in open.iter().enumerate().filter(|(_, (_, of))| *of == standing) {
        addresses.entry(*from).or_insert((0, Reverse(index))).0 += 1;
    }
    addresses.into_values().max().map(|(_, Reverse(index))| index)
}

/// An open connection.
pub(super) struct Connection {
    from: IpAddr,
    standing: Arc<AtomicU8>,
    pub(super) task: JoinHandle<()>,
}

/// A byte stream in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Duplex for T {}

impl Connection {
    pub(super) fn serve(stream: impl Duplex, from: IpAddr, app: Router, hub: Arc<Hub>) -> Self {
        let standing = Arc::new(AtomicU8::new(IDLE));
        let mut shutdown = hub.shutdown();
        let (app, own_standing) = (TowerToHyperService::new(app), standing.clone());
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let is_owner = has_token(request.headers(), request.uri(), &hub);
            own_standing.fetch_max(if is_owner { OWNER } else { REQUESTED }, Relaxed);
            let response = app.call(request);
            // Yield between pipelined requests, so that other connections get their turn. The
            // request itself is done before, even if the client has gone.
            Box::pin(async move {
                let response = response.await;
                yield_now().await;
                response
            })
        });
        let task = tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(MAX_HEAD_BYTES);
            let stream = TokioIo::new(WriteTimeout { stream, stall: None });
            let mut served = http.serve_connection(stream, service);
            let mut shuts_down = pin!(shutdown.wait_for(|shuts_down| *shuts_down).fuse());
            let done = poll_fn(|cx| {
                if shuts_down.as_mut().poll(cx).is_ready() {
                    // The response under way is the last one.
                    Pin::new(&mut served).graceful_shutdown();
                }
                Pin::new(&mut served).poll(cx)
            });
            // A client may close its connection at any time: that is no error.
            if done.await.is_ok() {
                let stream = served.into_parts().io.into_inner().stream;
                let _ = timeout(LINGER_TIMEOUT, lingering_close(stream)).await;
            }
        });
        Self { from, standing, task }
    }
}

/// Reads and drops what the client still sends, so that the last response arrives: the system
/// resets a connection that is closed with unread bytes, and the response may be lost.
async fn lingering_close(mut stream: impl Duplex) -> io::Result<()> {
    let mut dropped = [0; 4096];
    for _ in 0..MAX_LINGER_BYTES / dropped.len() {
        let mut read = ReadBuf::new(&mut dropped);
        poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut read)).await?;
        if read.filled().is_empty() {
            break;
        }
    }
    Ok(())
}

/// A stream whose writes fail after [`WRITE_TIMEOUT`] without progress.
struct WriteTimeout<S> {
    stream: S,
    /// The timeout of the write that is blocked now.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeout<S> {
    fn check_stall<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        stall.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: Duplex> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: Duplex> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.stream).poll_write(cx, bytes);
        self.check_stall(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.stream).poll_write_vectored(cx, bytes);
        self.check_stall(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 168, 1, last].into()
    }

    #[test]
    fn evicts_the_owner_last() {
        let one = address(1);
        let all = |standings: &[u8]| standings.iter().map(|of| (one, *of)).collect::<Vec<_>>();
        assert_eq!(to_evict(&all(&[OWNER, REQUESTED, IDLE])), Some(2));
        assert_eq!(to_evict(&all(&[OWNER, REQUESTED, IDLE, REQUESTED])), Some(1));
        assert_eq!(to_evict(&all(&[OWNER, OWNER, REQUESTED])), Some(2));
        assert_eq!(to_evict(&all(&[OWNER, OWNER])), Some(0));
        assert_eq!(to_evict(&[]), None);
    }

    #[test]
    fn evicts_from_the_address_with_the_most_connections() {
        let from =
            |last: &[u8]| last.iter().map(|of| (address(*of), REQUESTED)).collect::<Vec<_>>();
        assert_eq!(to_evict(&from(&[1, 2, 3, 2])), Some(1));
        assert_eq!(to_evict(&from(&[1, 2, 3])), Some(0));
        // A crowd of requesting connections does not evict an idle one.
        let crowd = [&[(address(1), IDLE)], &*from(&[1, 1])].concat();
        assert_eq!(to_evict(&crowd), Some(1));
    }

    #[test]
    fn the_limit_of_connections_is_within_its_bounds() {
        assert!((4..=MAX_CONNECTIONS).contains(&max_connections()));
    }
}
