//! Signals: a unit may signal itself, not the guard's processes, not cargo, not another unit.

use super::event::Event;
use super::guard::{Answer, Call, Guard};
use super::process::{Caller, CARGO};
use super::unit::Role;
use crate::sys;

/// Landlock version that keeps signals inside a domain.
const SCOPED: i32 = 6;

impl Guard {
    /// A signal to process or thread `target`, or to a group when it is not positive.
    pub fn signal(
        &mut self,
        call: &Call<'_>,
        name: &'static str,
        target: i64,
        signal: i32,
    ) -> Answer {
        let caller = &*call.caller;
        // cargo and the roles are ours.
        let ours = caller.guarding || (caller.unit == CARGO && self.cargo_is_top());
        if ours || target == i64::from(caller.pid) || target == i64::from(caller.tid) {
            return self.count(caller);
        }
        let number = [u64::from(signal.unsigned_abs())];
        let event = Event {
            kind: "kill",
            target: Some(target),
            call: Some(name),
            args: &number,
            ..Event::default()
        };
        if target <= 0 {
            return self.signal_group(caller, target, signal, &event);
        }
        let found = u32::try_from(target)
            .ok()
            .and_then(|target| self.processes.find_checked(target));
        match found {
            // Nobody there: the kernel says so.
            None => self.count(caller),
            Some(target)
                if caller.may_touch(&target) || (signal == 0 && target.unit == caller.unit) =>
            {
                self.count(caller)
            }
            Some(_) => self.deny(caller, libc::EPERM, &event),
        }
    }

    /// A signal to a thread of the process that the first argument names.
    pub fn signal_thread(&mut self, call: &Call<'_>, name: &'static str) -> Answer {
        // The kernel takes no thread of another process than that (tgkill(2)).
        if i64::from(call.int(0)) == i64::from(call.caller.pid) {
            return self.count(call.caller);
        }
        self.signal(call, name, i64::from(call.int(1)), call.int(2))
    }

    /// fcntl(2) with `F_SETOWN` or `F_SETOWN_EX`: whom the kernel signals when data arrives at a descriptor.
    pub fn owner(&mut self, call: &Call<'_>) -> Answer {
        const NAME: &str = "fcntl";
        let owner = i64::from(call.int(2));
        if call.int(1) == libc::F_SETOWN && owner > 0 {
            return self.signal(call, NAME, owner, libc::SIGIO);
        }
        let nobody = call.int(1) == libc::F_SETOWN && owner == 0;
        if nobody || call.caller.guarding || self.unit(call.caller).role == Role::Cargo {
            return self.count(call.caller);
        }
        // A group, or a structure in memory that can change after a look: no build needs either.
        let event = Event {
            kind: "kill",
            call: Some(NAME),
            args: &call.args[1..2],
            ..Event::default()
        };
        self.deny(call.caller, libc::EPERM, &event)
    }

    fn signal_group(
        &mut self,
        caller: &Caller,
        target: i64,
        signal: i32,
        event: &Event<'_>,
    ) -> Answer {
        if self.is_scoped(caller) {
            // The kernel reaches only processes of the caller's own domain.
            return if target == -1 {
                self.allow(caller, event)
            } else {
                self.count(caller)
            };
        }
        let group = match target {
            // 0 and 1 would mean other groups to us than to the caller.
            0 => sys::stat(caller.pid)
                .map(|stat| stat.group)
                .filter(|group| *group > 1),
            -1 => None,
            _ => u32::try_from(-target).ok(),
        };
        let members: Vec<u32> = sys::all_processes()
            .into_iter()
            .filter(|pid| *pid != 1)
            .filter(|pid| {
                target == -1 || sys::stat(*pid).is_some_and(|stat| Some(stat.group) == group)
            })
            .collect();
        let all_own = members.into_iter().all(|pid| {
            self.processes
                .find(pid)
                .is_none_or(|member| member.unit == caller.unit && !member.guarding)
        });
        if !all_own {
            return self.deny(caller, libc::EPERM, event);
        }
        match (target, group) {
            (-1, _) => self.allow(caller, event),
            (0, None) => self.deny(caller, libc::EPERM, event),
            // "Mine" is another group once a thread of the caller has changed it; the number is not.
            (0, Some(group)) => {
                self.count(caller);
                send(-i64::from(group), signal)
            }
            _ => self.count(caller),
        }
    }

    /// Whether the kernel itself keeps the caller's signals within its domain.
    fn is_scoped(&self, caller: &Caller) -> bool {
        self.landlock >= SCOPED
            && self.unit(caller).role.has_domain()
            && !self.settings.broken("sigscope")
    }

    /// `pidfd_send_signal(2)`: the process stands in the descriptor's fdinfo.
    ///
    /// Where no domain holds the caller's signals, the guard sends it, without what else the caller wanted to say with
    /// it: another thread could put another process's descriptor into that place.
    pub fn signal_by_descriptor(&mut self, call: &Call<'_>) -> Answer {
        const NAME: &str = "pidfd_send_signal";
        let name = format!("fdinfo/{}", call.int(0));
        let mut buffer = [0u8; 1024];
        let target = sys::read_proc(call.caller.tid, &name, &mut buffer).and_then(|text| {
            let line = text
                .split(|byte| *byte == b'\n')
                .find_map(|line| line.strip_prefix(b"Pid:"))?;
            sys::number(line)
        });
        let held = call.caller.guarding || self.is_scoped(call.caller);
        let target = target.and_then(|target| i64::try_from(target).ok());
        let Some(target) = target.filter(|target| *target > 0) else {
            // A process that is gone, or no pidfd at all.
            self.count(call.caller);
            return if held {
                Answer::Continue
            } else {
                Answer::Fail(libc::EBADF)
            };
        };
        match self.signal(call, NAME, target, call.int(1)) {
            Answer::Continue if !held => send(target, call.int(1)),
            answer => answer,
        }
    }
}

/// Send a signal in the caller's stead: what its arguments stand for could change before the kernel looks.
fn send(target: i64, signal: i32) -> Answer {
    let Ok(target) = i32::try_from(target) else {
        return Answer::Fail(libc::ESRCH);
    };
    if sys::kill(target, signal) {
        return Answer::Value(0);
    }
    let error = std::io::Error::last_os_error().raw_os_error();
    Answer::Fail(error.unwrap_or(libc::EPERM))
}
