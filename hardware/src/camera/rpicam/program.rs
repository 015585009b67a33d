//! A child process whose standard output is read all the time, and which ends when it is told to.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// Time for the program to stop the camera after SIGINT, before it is killed.
const GRACE: Duration = Duration::from_millis(500);
/// Time for the system to end a program that was killed. One that waits for a driver ends only when that answers.
const END: Duration = Duration::from_secs(1);
/// How much of the standard error is kept: all that libcamera says before the first frame, and more.
const MAX_MESSAGES: usize = 16 << 10;

/// Finds items in the bytes of a stream.
pub(super) trait Splitter: Send + 'static {
    type Item: Send + 'static;

    /// Appends the items that end in the next `bytes` of the stream to `found`. What it keeps of the stream must be
    /// bounded.
    fn push(&mut self, bytes: &[u8], found: &mut Vec<Self::Item>);

    /// The item that ends with the stream.
    fn finish(self) -> Option<Self::Item>
    where
        Self: Sized,
    {
        None
    }
}

/// Why there is no next item.
#[derive(Debug)]
pub(super) enum NoItem {
    /// The deadline is over.
    Late,
    /// The standard output was closed.
    Ended,
}

/// A running program in a process group of its own. It is killed when dropped.
pub(super) struct Program<T> {
    /// `None` after its end.
    child: Option<Child>,
    output: Arc<Output<T>>,
    messages: Arc<Messages>,
    /// The thread that reads its output; none after its end.
    reader: Option<JoinHandle<()>>,
}

/// The end of the standard error.
#[derive(Default)]
struct Messages(Mutex<VecDeque<u8>>);

/// The newest item of the standard output. An item that nobody took is replaced by the next one, so it is never old.
struct Output<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    newest: Option<T>,
    is_closed: bool,
}

impl<T: Send + 'static> Program<T> {
    /// Starts a program and the thread that reads its output.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(super) fn start(
        command: &mut Command,
        splitter: impl Splitter<Item = T>,
    ) -> io::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at a terminal is for this program, which then stops the other one, or closes its pipe.
            .process_group(0)
            .spawn()?;
        let mut program = Self {
            child: Some(child),
            output: Arc::new(Output {
                state: Mutex::new(State {
                    newest: None,
                    is_closed: false,
                }),
                changed: Condvar::new(),
            }),
            messages: Arc::default(),
            reader: None,
        };
        let child = program.child.as_mut();
        let streams = child.and_then(|child| Some((child.stdout.take()?, child.stderr.take()?)));
        if let Some((stdout, stderr)) = streams {
            let (output, messages) = (Arc::clone(&program.output), Arc::clone(&program.messages));
            let thread = std::thread::Builder::new().name("camera-frames".into());
            let read = move || output.read(stdout, splitter, stderr, &messages);
            program.reader = Some(thread.spawn(read)?);
        }
        Ok(program)
    }

    /// Waits for an item that was not taken yet.
    ///
    /// # Errors
    /// [`NoItem`] if there is none until `deadline`.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<T, NoItem> {
        let mut state = self.output.lock();
        loop {
            if let Some(item) = state.newest.take() {
                return Ok(item);
            }
            if state.is_closed {
                return Err(NoItem::Ended);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoItem::Late);
            }
            state = self.output.wait(state, left);
        }
    }

    /// Forgets the item that was not taken yet, so that [`Self::next`] returns one that is complete only after this call.
    pub(super) fn skip_waiting(&mut self) {
        self.output.lock().newest = None;
    }

    /// Stops the program: with SIGINT, which lets it close the camera, and after half a second with SIGKILL. Returns how it
    /// ended, and the end of its standard error.
    pub(super) fn stop(self) -> (io::Result<ExitStatus>, String) {
        self.stop_within(GRACE)
    }

    fn stop_within(mut self, grace: Duration) -> (io::Result<ExitStatus>, String) {
        let status = self.end(grace);
        (status, self.messages())
    }
}

impl<T> Program<T> {
    /// The end of its standard error so far. What it said before an item is known with that.
    pub(super) fn messages(&self) -> String {
        self.messages.text()
    }

    /// Ends the program and whatever it started, and waits for it. A program that does not even end when it is killed, because
    /// it waits for a driver, is left to a thread of its own.
    fn end(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        let Some(mut child) = self.child.take() else {
            return Err(io::Error::other("it has ended before"));
        };
        let group = Pid::from_child(&child);
        // A group that has ended is no error. Its number stays its own until the child is waited for.
        let signal = |signal| kill_process_group(group, signal).ok();
        signal(Signal::INT);
        self.output.wait_until_closed(Instant::now() + grace);
        signal(Signal::KILL);
        // Where that cannot be asked, before Linux 5.3, it is waited for.
        if matches!(ends_within(&child, END), Ok(false)) {
            // Without the thread, it remains as a zombie until this program ends.
            let _ = std::thread::Builder::new().spawn(move || child.wait());
            return Err(io::Error::other("it does not end, its driver hangs"));
        }
        let status = child.wait();
        if let Some(reader) = self.reader.take() {
            // One that panicked has closed its pipes as well. The group, which may hold the pipes, was killed.
            let _ = reader.join();
        }
        status
    }
}

impl<T> Drop for Program<T> {
    fn drop(&mut self) {
        if self.child.is_some() {
            // Nobody asks how it ended.
            let _ = self.end(Duration::ZERO);
        }
    }
}

/// Waits until a child has ended, without collecting its status.
fn ends_within(child: &Child, limit: Duration) -> io::Result<bool> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let limit = Timespec::try_from(limit).ok();
    // Readable when the process has ended (pidfd_open(2)).
    let mut ended = [PollFd::new(&process, PollFlags::IN)];
    Ok(retry_on_intr(|| poll(&mut ended, limit.as_ref()))? > 0)
}

impl<T> Output<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State<T>>,
        at_most: Duration,
    ) -> MutexGuard<'a, State<T>> {
        let waited = self.changed.wait_timeout(state, at_most);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn wait_until_closed(&self, deadline: Instant) {
        let mut state = self.lock();
        while !state.is_closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.wait(state, left);
        }
    }

    /// Reads standard output and standard error to their ends. Where both have something to read, messages come first.
    fn read(
        &self,
        mut stdout: impl Read + AsFd,
        mut splitter: impl Splitter<Item = T>,
        mut stderr: impl Read + AsFd,
        messages: &Messages,
    ) {
        // As much as a pipe holds.
        let mut chunk = vec![0; 1 << 16];
        let mut found = Vec::new();
        let mut push = |bytes: &[u8]| {
            splitter.push(bytes, &mut found);
            if !found.is_empty() {
                self.put(&mut found);
            }
        };
        // Until one of them ends.
        while let Ok([has_message, has_frame]) = wait_for_either(&stderr, &stdout) {
            if has_message {
                let Some(bytes) = next_chunk(&mut stderr, &mut chunk) else {
                    break;
                };
                messages.push(bytes);
            }
            if has_frame {
                let Some(bytes) = next_chunk(&mut stdout, &mut chunk) else {
                    break;
                };
                push(bytes);
            }
        }
        while let Some(bytes) = next_chunk(&mut stdout, &mut chunk) {
            push(bytes);
        }
        found.extend(splitter.finish());
        self.put(&mut found);
        self.lock().is_closed = true;
        self.changed.notify_all();
        while let Some(bytes) = next_chunk(&mut stderr, &mut chunk) {
            messages.push(bytes);
        }
    }

    fn put(&self, found: &mut Vec<T>) {
        let mut state = self.lock();
        if let Some(item) = found.pop() {
            state.newest = Some(item);
        }
        drop(state);
        found.clear();
        self.changed.notify_all();
    }
}

/// The next bytes of a stream; `None` at its end.
fn next_chunk<'a>(stream: &mut impl Read, chunk: &'a mut [u8]) -> Option<&'a [u8]> {
    loop {
        match stream.read(chunk) {
            Ok(0) => return None,
            Ok(length) => return Some(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Waits until a stream has something to read, or has ended; says which.
fn wait_for_either(one: impl AsFd, other: impl AsFd) -> rustix::io::Result<[bool; 2]> {
    let mut streams = [
        PollFd::new(&one, PollFlags::IN),
        PollFd::new(&other, PollFlags::IN),
    ];
    retry_on_intr(|| poll(&mut streams, None))?;
    Ok(streams.map(|stream| !stream.revents().is_empty()))
}

impl Messages {
    fn lock(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        kept.extend(bytes);
        let surplus = kept.len().saturating_sub(MAX_MESSAGES);
        kept.drain(..surplus);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.lock().make_contiguous()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte is an item.
    struct Bytes;

    impl Splitter for Bytes {
        type Item = u8;

        fn push(&mut self, bytes: &[u8], found: &mut Vec<u8>) {
            found.extend(bytes);
        }
    }

    fn shell(script: &str) -> Program<u8> {
        Program::start(Command::new("sh").args(["-c", script]), Bytes).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    fn exists(process: u32) -> bool {
        std::path::Path::new(&format!("/proc/{process}")).exists()
    }

    #[test]
    fn the_newest_item_is_taken_once() {
        let mut program = shell("printf abc; read -r _ < /dev/null; exec sleep 1000");
        assert!(matches!(program.next(soon()), Ok(b'a'..=b'c')));
        while program.next(Instant::now()).is_ok() {}
        assert!(matches!(program.next(Instant::now()), Err(NoItem::Late)));
    }

    #[test]
    fn the_end_is_told_with_the_status_and_the_last_messages() {
        let mut program =
            shell("printf z; yes noise | head -c 1000000 >&2; echo the cause >&2; exit 7");
        assert!(matches!(program.next(soon()), Ok(b'z')));
        assert!(matches!(program.next(soon()), Err(NoItem::Ended)));
        let (status, messages) = program.stop();
        assert_eq!(status.unwrap().code(), Some(7));
        assert!(messages.ends_with("the cause\n"), "{messages}");
        assert_eq!(messages.len(), MAX_MESSAGES);
    }

    #[test]
    fn what_was_said_before_an_item_is_known_with_it() {
        let mut program = shell("echo first >&2; printf a; exec sleep 1000");
        program.next(soon()).unwrap();
        assert_eq!(program.messages(), "first\n");
    }

    #[test]
    fn a_program_that_closes_one_stream_is_read_from_the_other() {
        let mut silent = shell("exec 2>&-; printf a; exec sleep 1000");
        assert!(matches!(silent.next(soon()), Ok(b'a')));
        let blind =
            shell("exec >&-; trap 'exit 0' INT; echo told >&2; while :; do sleep 0.01; done");
        while blind.messages().is_empty() {
            std::thread::yield_now();
        }
        assert_eq!(blind.stop().1, "told\n");
    }

    #[test]
    fn a_program_that_ignores_signals_is_killed_with_what_it_started() {
        let mut program = shell("trap '' INT TERM; sleep 1000 & echo; wait; sleep 1000");
        program.next(soon()).unwrap();
        let process = program.child.as_ref().unwrap().id();
        let (status, _) = program.stop();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status.unwrap()),
            Some(9)
        );
        assert!(!exists(process), "it was waited for");
    }

    #[test]
    fn a_dropped_program_is_killed() {
        let mut program = shell("echo; exec sleep 1000");
        program.next(soon()).unwrap();
        let process = program.child.as_ref().unwrap().id();
        drop(program);
        assert!(!exists(process));
    }

    #[test]
    fn a_program_may_stop_by_itself_after_sigint() {
        let mut program =
            shell("trap 'echo stopped >&2; exit 3' INT; echo; while :; do sleep 0.01; done");
        program.next(soon()).unwrap();
        let (status, messages) = program.stop_within(Duration::from_mins(1));
        assert_eq!((status.unwrap().code(), &*messages), (Some(3), "stopped\n"));
    }
}
