//! Connections: how many there may be, which of them gives way to a new one, and how long one may
//! stand still.
//!
//! A connection is the person's once it has shown the token. It keeps its place, whatever others
//! do; of all others the oldest of those who hold most gives way to a new one, so that whoever
//! comes is heard.

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

/// Connections at once, where the process may have four times as many files: training needs some of
/// them.
const CONNECTIONS: usize = 256;
/// Files that a process may have where the system does not say: as few as on any.
const FILES: u64 = 256;
/// Connections that wait to be accepted.
const WAITING: u32 = 1024;
/// Bytes of the head of a request.
const HEAD: usize = 16 << 10;
/// How long a connection may say nothing before or between requests.
const SILENCE: Duration = Duration::from_secs(5);
/// How long it may read nothing of an answer.
const STALL: Duration = Duration::from_secs(10);
/// How long, and how many bytes, are read and dropped after the last answer.
const LINGER: Duration = Duration::from_millis(500);
const DROPPED: usize = 1 << 20;
/// Time until the next try where the system refuses a connection.
const RETRY: Duration = Duration::from_millis(50);

/// What is known of a connection, the least first: it has asked for nothing, it has, it has shown
/// the token.
const SILENT: u8 = 0;
const ASKED: u8 = 1;
const PERSON: u8 = 2;

/// Listens at an address. A page that was served there a moment ago does not hinder it.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// How many connections there may be: a quarter of the files that the process may have.
pub(super) fn most() -> usize {
    (limits::max_open_files().unwrap_or(FILES) / 4).clamp(4, CONNECTIONS as u64) as usize
}

/// Serves every connection until it ends, stands still for too long, or gives way to a new one;
/// until the page ends.
pub(super) async fn accept(listener: TcpListener, app: Router, hub: &Arc<Hub>) {
    let most = most();
    let mut open: VecDeque<Connection> = VecDeque::new();
    let mut ending = hub.ending();
    let mut ends = pin!(ending.wait_for(|ends| *ends));
    loop {
        // Those that are open come first: a request that has arrived is heard before its connection
        // can give way.
        yield_now().await;
        let accepted = match select(ends.as_mut(), pin!(listener.accept())).await {
            Either::Left(_) => return,
            Either::Right((accepted, _)) => accepted,
        };
        let Ok((stream, from)) = accepted else {
            // Out of files, most likely: others will close theirs.
            sleep(RETRY).await;
            continue;
        };
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= most {
            let seen = open.iter().map(|of| (of.from, of.standing.load(Relaxed)));
            let least = gives_way(&seen.collect::<Vec<_>>());
            least.and_then(|at| open.remove(at)).iter().for_each(|of| of.task.abort());
        }
        open.push_back(Connection::serve(stream, from.ip(), app.clone(), hub.clone()));
    }
}

/// Which of these connections gives way, by address and standing, the oldest first. Of those that
/// were silent and those that have asked, it is the more numerous kind: nobody can fill all places
/// in either way. Of that kind it is the oldest of the address that has most of them.
fn gives_way(open: &[(IpAddr, u8)]) -> Option<usize> {
    let many = |kind| open.iter().filter(|(_, of)| *of == kind).count();
    let (silent, asked) = (many(SILENT), many(ASKED));
    let kind = match silent.max(asked) {
        0 => PERSON,
        most if most == silent => SILENT,
        _ => ASKED,
    };
    let mut addresses: BTreeMap<IpAddr, (usize, Reverse<usize>)> = BTreeMap::new();
    for (at, (from, _)) in open.iter().enumerate().filter(|(_, (_, of))| *of == kind) {
        addresses.entry(*from).or_insert((0, Reverse(at))).0 += 1;
    }
    addresses.into_values().max().map(|(_, Reverse(at))| at)
}

/// A connection that is served.
pub(super) struct Connection {
    from: IpAddr,
    standing: Arc<AtomicU8>,
    pub(super) task: JoinHandle<()>,
}

/// Both ways of a connection.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for T {}

impl Connection {
    pub(super) fn serve(stream: impl Wire, from: IpAddr, app: Router, hub: Arc<Hub>) -> Self {
        let standing = Arc::new(AtomicU8::new(SILENT));
        let mut ending = hub.ending();
        let (app, heard) = (TowerToHyperService::new(app), standing.clone());
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let person = has_token(request.headers(), request.uri(), &hub);
            heard.fetch_max(if person { PERSON } else { ASKED }, Relaxed);
            let answer = app.call(request);
            // Of many requests that came at once each waits for a turn: those of other connections
            // come between them. What was asked is done before that, whether or not somebody still
            // waits for the answer.
            Box::pin(async move {
                let answer = answer.await;
                yield_now().await;
                answer
            })
        });
        let task = tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(SILENCE).max_buf_size(HEAD);
            let stream = TokioIo::new(Patient { stream, stall: None });
            let mut served = http.serve_connection(stream, service);
            let mut ends = pin!(ending.wait_for(|ends| *ends).fuse());
            let whole = poll_fn(|cx| {
                if ends.as_mut().poll(cx).is_ready() {
                    // The answer under way is the last one.
                    Pin::new(&mut served).graceful_shutdown();
                }
                Pin::new(&mut served).poll(cx)
            });
            // A browser that goes away is no failure.
            if whole.await.is_ok() {
                let stream = served.into_parts().io.into_inner().stream;
                let _ = timeout(LINGER, let_go(stream)).await;
            }
        });
        Self { from, standing, task }
    }
}

/// Lets a connection go, to which nothing more is written, so that its last answer arrives: where
/// something is left unread, the system would take the answer back.
async fn let_go(mut stream: impl Wire) -> io::Result<()> {
    let mut dropped = [0; 4096];
    for _ in 0..DROPPED / dropped.len() {
        let mut read = ReadBuf::new(&mut dropped);
        poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut read)).await?;
        if read.filled().is_empty() {
            break;
        }
    }
    Ok(())
}

/// A connection whose other side has to read what it asked for.
struct Patient<S> {
    stream: S,
    /// Since nothing could be written: when that is too long.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    fn wait<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL)));
        stall.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: Wire> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: Wire> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.stream).poll_write(cx, bytes);
        self.wait(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wait(cx, written)
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
    fn whoever_has_shown_the_token_stays() {
        let one = address(1);
        let all = |kinds: &[u8]| kinds.iter().map(|kind| (one, *kind)).collect::<Vec<_>>();
        assert_eq!(gives_way(&all(&[PERSON, ASKED, SILENT])), Some(2));
        assert_eq!(gives_way(&all(&[PERSON, ASKED, SILENT, ASKED])), Some(1));
        assert_eq!(gives_way(&all(&[PERSON, PERSON, ASKED])), Some(2));
        assert_eq!(gives_way(&all(&[PERSON, PERSON])), Some(0));
        assert_eq!(gives_way(&[]), None);
    }

    #[test]
    fn who_holds_most_gives_way() {
        let from = |last: &[u8]| last.iter().map(|of| (address(*of), ASKED)).collect::<Vec<_>>();
        assert_eq!(gives_way(&from(&[1, 2, 3, 2])), Some(1));
        assert_eq!(gives_way(&from(&[1, 2, 3])), Some(0));
        // One that was silent does not give way to a crowd that asks.
        let crowd = [&[(address(1), SILENT)], &*from(&[1, 1])].concat();
        assert_eq!(gives_way(&crowd), Some(1));
    }

    #[test]
    fn training_keeps_its_files() {
        assert!((4..=CONNECTIONS).contains(&most()));
    }
}
