"""The data root: a folder of partition folders, with Kafka's own files beside them.

    .lock                               held while a broker uses the folder
    meta.properties                     cluster id, node id, directory id
    .kafka_cleanshutdown                written by a clean stop, removed by the next start
    recovery-point-offset-checkpoint    what is surely on disk, per partition
    replication-offset-checkpoint       high watermarks
    log-start-offset-checkpoint         log start offsets that lie inside a segment
    cleaner-offset-checkpoint           up to where compacted partitions were compacted
    <topic>-<partition>/                one PartitionLog
    <topic>-<partition>.<uuid>-delete/  a deleted one, removed after `file.delete.delay.ms`

Opening the root lists it and no more; a partition is opened, and after a crash recovered, when it is first asked for.
So start time does not grow with the data.
"""

import fcntl
import json
import logging
import os
import re
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, Protocol

from broker.errors import KafkaStorageError, NotLeaderOrFollower
from broker.log.checkpoint_files import (
    CheckpointWriter,
    MalformedCheckpoint,
    TopicPartition,
    decode_uuid,
    encode_uuid,
    offsets_text,
    read_offsets,
    read_properties,
    sync_directory,
    write_atomically,
)
from broker.log.disk_reserve import DiskReserve
from broker.log.flush import FlushJob
from broker.log.log_config import FlushPolicy, LogConfig
from broker.log.open_files import OpenFiles
from broker.log.partition_folders import PARTITION_METADATA_FILE, PartitionFolders
from broker.log.partition_log import PartitionLog
from broker.log.recovery_plan import WORTH_A_PROCESS_BYTES, Recovered, RecoveryPlan, unchecked_bytes
from broker.log.segment_scan import SegmentScan

log = logging.getLogger(__name__)

LOCK_FILE: Final = ".lock"
META_FILE: Final = "meta.properties"
CLEAN_SHUTDOWN_FILE: Final = ".kafka_cleanshutdown"
RECOVERY_POINT_FILE: Final = "recovery-point-offset-checkpoint"
HIGH_WATERMARK_FILE: Final = "replication-offset-checkpoint"
LOG_START_FILE: Final = "log-start-offset-checkpoint"
CLEANER_FILE: Final = "cleaner-offset-checkpoint"

_PARTITION_FOLDER: Final = re.compile(r"([a-zA-Z0-9._-]+)-(\d+)")
_DELETED_FOLDER: Final = re.compile(r"[a-zA-Z0-9._-]+\.[0-9a-f]{32}-delete")
_CLUSTER_METADATA_TOPIC: Final = "__cluster_metadata"  # a real Kafka's own journal, no topic
_FOLDER_NAME_CHARS_MAX: Final = 255
_PRODUCER_ID_EXPIRATION_MS: Final = 86_400_000
_CLOCK_JUMP_MS: Final = 86_400_000


class Clock(Protocol):
    """What is needed of `broker.clock.Clock`."""

    def now_ms(self) -> int:
        """Wall-clock time."""

    def monotonic_ms(self) -> int:
        """Time that never jumps."""


class DataRootError(Exception):
    """The data folder cannot be used; the message says why and what to do."""


class PartitionRecovering(NotLeaderOrFollower):
    """The partition is being recovered in another process, see `LogDirectory.on_recovery_wanted`."""


class LogDirectory:
    """All partitions of a broker, in one folder that it holds locked.

    `on_dirty` is called when a log has bytes to be forced to disk that had none, `on_flush_wanted` when producers wait
    for that: flush at once, see `start_flush`.
    `on_recovery_wanted`, if set, is given the partitions that take long to recover; `note_recovered` ends that.
    `on_scan_wanted`, if set, is given the large segments that a read found damaged; their `finish` ends that.
    """

    def __init__(
        self,
        path: Path,
        lock_fd: int,
        *,
        cluster_id: str,
        is_clean: bool,
        clock: Clock,
        flush: FlushPolicy,
        files: OpenFiles,
        producer_id_expiration_ms: int,
        essential_topics: Collection[str],
    ) -> None:
        """Use `LogDirectory.open`."""
        self.path = path
        self.cluster_id = cluster_id
        self.is_clean = is_clean
        """Whether the last stop was a clean one."""
        self.flush_policy = flush
        self.on_dirty: Callable[[], None] | None = None
        self.on_flush_wanted: Callable[[], None] | None = None
        self.on_recovery_wanted: Callable[[RecoveryPlan], None] | None = None
        self.on_scan_wanted: Callable[[SegmentScan], None] | None = None
        self.torn_bytes = 0
        """How many half-written bytes recovery has cut off since the start."""
        self.gone_traffic = [0, 0, 0]
        """Records appended, bytes appended and bytes fetched of partitions deleted since the start."""
        self.failed_appends: dict[str, int] = {}
        self.failed_reads: dict[str, int] = {}
        """By topic: what handlers refused of Produce and Fetch; of topics that do not exist under the empty name."""
        self.reserve = DiskReserve(path)
        self._checkpoints = CheckpointWriter(path)
        self._folders = PartitionFolders(path)
        self._lock_fd = lock_fd
        self._clock = clock
        self._files = files
        self._producer_id_expiration_ms = producer_id_expiration_ms
        self._essential_topics = essential_topics
        self._logs: dict[TopicPartition, PartitionLog | None] = {}  # None: not opened yet
        self._configs: dict[str, LogConfig] = {}
        self._dirty: dict[PartitionLog, None] = {}
        self._to_remove: deque[tuple[int, str]] = deque()
        self._recovery_points: dict[TopicPartition, int] = {}
        self._high_watermarks: dict[TopicPartition, int] = {}
        self._log_starts: dict[TopicPartition, int] = {}
        self._cleaned: dict[TopicPartition, int] = {}
        self._last_retention: tuple[int, int] | None = None  # wall, monotonic
        self._recovering: dict[TopicPartition, RecoveryPlan] = {}
        self._recovered: set[TopicPartition] = set()
        """Partitions that were brought, after a crash, to what a clean stop would have left."""
        self._unrecoverable: set[TopicPartition] = set()
        """Partitions where that failed, so that they are recovered where they are asked for."""
        self._is_closed = False

    # -- opening and closing

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        node_id: int,
        cluster_id: str | None = None,
        clock: Clock,
        flush: FlushPolicy | None = None,
        open_files_max: int | None = None,
        producer_id_expiration_ms: int = _PRODUCER_ID_EXPIRATION_MS,
        essential_topics: Collection[str] = (),
    ) -> "LogDirectory":
        """Lock the folder, made if missing, and learn which partitions it holds.

        The essential topics are appended to even when the disk is full, as long as the reserve lasts.
        Raises DataRootError: in use, not writable, or another cluster's or node's.
        """
        root = Path(path).absolute()
        try:
            root.mkdir(parents=True, exist_ok=True)
            lock_fd = _lock(root)
        except OSError as error:
            raise DataRootError(f"cannot use the data folder {root}: {error.strerror or error}") from error
        try:
            found_cluster_id = _check_meta(root, node_id, cluster_id)
            is_clean = _take_clean_shutdown_marker(root)
            directory = cls(
                root,
                lock_fd,
                cluster_id=found_cluster_id,
                is_clean=is_clean,
                clock=clock,
                flush=flush or FlushPolicy(),
                files=OpenFiles(open_files_max),
                producer_id_expiration_ms=producer_id_expiration_ms,
                essential_topics=essential_topics,
            )
            directory.reserve.open()
            directory._list()
        except OSError as error:
            os.close(lock_fd)
            raise DataRootError(f"cannot use the data folder {root}: {error.strerror or error}") from error
        except BaseException:
            os.close(lock_fd)
            raise
        return directory

    def _list(self) -> None:
        due_ms = self._clock.now_ms()
        with os.scandir(self.path) as entries:
            for entry in entries:
                match = _PARTITION_FOLDER.fullmatch(entry.name)
                if match is not None and match[1] != _CLUSTER_METADATA_TOPIC:
                    self._logs[match[1], int(match[2])] = None
                elif _DELETED_FOLDER.fullmatch(entry.name):
                    self._to_remove.append((due_ms, entry.path))
        self._recovery_points = self._read_checkpoint(RECOVERY_POINT_FILE)
        self._high_watermarks = self._read_checkpoint(HIGH_WATERMARK_FILE)
        self._log_starts = self._read_checkpoint(LOG_START_FILE)
        self._cleaned = self._read_checkpoint(CLEANER_FILE)
        log.info("data folder opened path=%s partitions=%d clean=%s", self.path, len(self._logs), self.is_clean)

    def _read_checkpoint(self, name: str) -> dict[TopicPartition, int]:
        try:
            offsets = read_offsets(self.path / name)
        except MalformedCheckpoint as error:
            # Without recovery points every partition is checked from its start; the rest follows from the logs.
            log.error("checkpoint ignored: %s", error)
            self.is_clean &= name != RECOVERY_POINT_FILE
            return {}
        return {key: offset for key, offset in offsets.items() if key in self._logs}

    def close(self) -> None:
        """Flush and close every log, write the checkpoints and, if all went well, the clean shutdown marker."""
        if self._is_closed:
            return
        self._is_closed = True
        is_clean = True
        self._flush_all()
        for partition_log in self._opened():
            try:
                is_clean &= partition_log.close()
            except OSError as error:
                log.error("log not closed folder=%s error=%s", partition_log.folder, error)
                is_clean = False
        try:
            self.write_checkpoints()
            if is_clean and (self.is_clean or self._are_all_checked()):
                write_atomically(self.path / CLEAN_SHUTDOWN_FILE, json.dumps({"version": 0, "brokerEpoch": -1}))
        except OSError as error:
            log.error("checkpoints not written path=%s error=%s", self.path, error)
        os.close(self._lock_fd)

    def _flush_all(self) -> None:
        """Force to disk, together, what no flush has; a log notes its own failure."""
        unflushed = [each for each in self._opened() if each.is_dirty or each.recovery_point < each.log_end_offset]
        job = FlushJob([partition_log.flush_target(whole=True) for partition_log in unflushed])
        job.run()
        job.finish()

    # -- partitions

    def partitions(self) -> list[TopicPartition]:
        """All (topic, partition) of the folder, opened or not."""
        return list(self._logs)

    def opened_logs(self) -> list[PartitionLog]:
        """The partitions in use so far."""
        return self._opened()

    def topic_id(self, topic: str) -> bytes | None:
        """The 16 bytes that the folder of the topic's first partition remembers; None without such a folder."""
        partitions = sorted(partition for name, partition in self._logs if name == topic)
        for partition in partitions:
            properties = read_properties(Path(self._folder(topic, partition), PARTITION_METADATA_FILE))
            try:
                return decode_uuid((properties or {})["topic_id"])
            except (KeyError, ValueError):
                continue
        return None

    def create(self, topic: str, partition: int, topic_id: bytes, config: LogConfig) -> PartitionLog:
        """Make a new, empty partition, here and now. Raises KafkaStorageError; FileExistsError if there is one."""
        self.add(topic, partition, topic_id, config)
        try:
            partition_log = self.get(topic, partition)
        except KafkaStorageError:
            del self._logs[topic, partition]
            if not self._folders.forget((topic, partition)):
                shutil.rmtree(self._folder(topic, partition), ignore_errors=True)
            raise
        assert partition_log is not None
        return partition_log

    def add(self, topic: str, partition: int, topic_id: bytes, config: LogConfig) -> None:
        """There is a new, empty partition from now on; its folder comes with its first use, or with `make_folders`.

        Raises FileExistsError if there is one.
        """
        if (topic, partition) in self._logs:
            raise FileExistsError(f"there is a partition {topic}-{partition}")
        self._configs[topic] = config
        self._logs[topic, partition] = None
        self._folders.want(topic, partition, topic_id)

    def make_folders(self) -> Iterator[TopicPartition]:
        """Make the folders of partitions that nobody has used yet, one a step. Raises KafkaStorageError."""
        return self._folders.make_each()

    def get(self, topic: str, partition: int) -> PartitionLog | None:
        """The partition's log, opened and, after a crash, recovered at the first call; None if there is none.

        Raises KafkaStorageError: its files cannot be read; PartitionRecovering: ask again a little later.
        """
        partition_log = self._logs.get((topic, partition))
        if partition_log is None and (topic, partition) in self._logs:
            self._folders.make((topic, partition))
            try:
                if self.on_recovery_wanted is not None and not self.is_clean:
                    self._leave_to_recovery((topic, partition), self.on_recovery_wanted)
                partition_log = self._open_log(topic, partition)
            except OSError as error:
                raise KafkaStorageError(f"cannot open {topic}-{partition}: {error.strerror or error}") from error
            if self._folders.take_unsynced((topic, partition)):
                partition_log.note_new_folder()
            self._logs[topic, partition] = partition_log
        return partition_log

    def _leave_to_recovery(self, key: TopicPartition, want: Callable[[RecoveryPlan], None]) -> None:
        """Raise PartitionRecovering if the partition is better recovered in a process of its own. Raises OSError."""
        if key in self._recovered or key in self._unrecoverable:
            return
        if key not in self._recovering:
            folder, recovery_point = self._folder(*key), self._recovery_points.get(key, 0)
            if unchecked_bytes(folder, recovery_point) < WORTH_A_PROCESS_BYTES:
                return
            plan = self._recovering[key] = RecoveryPlan(
                topic=key[0],
                partition=key[1],
                folder=folder,
                folder_inode=os.stat(folder).st_ino,
                config=self._configs.get(key[0], LogConfig()),
                recovery_point=recovery_point,
                log_start_offset=self._log_starts.get(key, 0),
            )
            want(plan)
        raise PartitionRecovering(f"{key[0]}-{key[1]} is being recovered")

    def note_recovered(self, plan: RecoveryPlan, recovered: Recovered | None) -> None:
        """The recovery of a plan is over; None: it failed, and the partition is recovered where it is asked for."""
        key = plan.topic, plan.partition
        if self._recovering.get(key) is not plan:
            return  # deleted meanwhile
        del self._recovering[key]
        if recovered is None:
            self._unrecoverable.add(key)
            return
        self._recovered.add(key)
        self._recovery_points[key] = recovered.end_offset
        self.torn_bytes += recovered.torn_bytes

    def is_open(self, topic: str, partition: int) -> bool:
        """Whether `get` answers at once."""
        return self._logs.get((topic, partition)) is not None

    def known_offsets(self, topic: str, partition: int) -> tuple[int, int] | None:
        """The log start and log end offset, without opening a log; None while only opening it would tell."""
        key = topic, partition
        partition_log = self._logs.get(key)
        if partition_log is not None:
            return partition_log.log_start_offset, partition_log.log_end_offset
        if self.is_clean and key in self._logs and key in self._recovery_points:
            return self._log_starts.get(key, 0), self._recovery_points[key]
        return None

    def configure(self, topic: str, config: LogConfig) -> None:
        """Let the topic's logs, opened now or later, obey this config."""
        partition, is_changed = 0, self._configs.get(topic) != config
        self._configs[topic] = config
        while is_changed and (topic, partition) in self._logs:
            partition_log = self._logs[topic, partition]
            if partition_log is not None:
                partition_log.reconfigure(config)
            partition += 1

    def delete(self, topic: str, partition: int) -> None:
        """Take the partition out of use; `remove_deleted` removes its files later. Raises KafkaStorageError."""
        key = topic, partition
        if key not in self._logs:
            return
        partition_log = self._logs.pop(key)
        if partition_log is not None:
            for index, count in enumerate(partition_log.traffic):
                self.gone_traffic[index] += count
        if partition == 0:
            for failures in (self.failed_appends, self.failed_reads):
                failures[""] = failures.get("", 0) + failures.pop(topic, 0)
        if partition_log is not None:
            partition_log.abandon()
            self._dirty.pop(partition_log, None)
        self._recovering.pop(key, None)
        self._recovered.discard(key)
        self._unrecoverable.discard(key)
        for offsets in (self._recovery_points, self._high_watermarks, self._log_starts, self._cleaned):
            offsets.pop(key, None)
        if self._folders.forget(key):
            return
        suffix = f"-{partition}.{uuid.uuid4().hex}-delete"
        name = topic[: _FOLDER_NAME_CHARS_MAX - len(suffix)] + suffix
        try:
            os.rename(self._folder(topic, partition), self.path / name)
        except OSError as error:
            raise KafkaStorageError(f"cannot delete {topic}-{partition}: {error.strerror or error}") from error
        delay_ms = self._configs.get(topic, LogConfig()).file_delete_delay_ms
        self._to_remove.append((self._clock.now_ms() + delay_ms, str(self.path / name)))

    def usage(self) -> tuple[int, int]:
        """(total, usable) bytes of the file system that holds the folder."""
        stats = os.statvfs(self.path)
        return stats.f_frsize * stats.f_blocks, stats.f_frsize * stats.f_bavail

    def quarantined_range_count(self) -> int:
        """How many damaged ranges the partitions opened so far have."""
        return sum(len(partition_log.quarantines) for partition_log in self._opened())

    def open_files_count(self) -> int:
        """How many segment files are open now."""
        return len(self._files)

    def _open_log(self, topic: str, partition: int) -> PartitionLog:
        key = topic, partition
        partition_log = PartitionLog(
            self._folder(topic, partition),
            topic,
            partition,
            self._configs.get(topic, LogConfig()),
            self._files,
            self,
            self.flush_policy.mode,
            is_clean=self.is_clean or key in self._recovered,
            recovery_point=self._recovery_points.get(key, 0),
            log_start_offset=self._log_starts.get(key, 0),
            now_ms=self._clock.now_ms(),
            is_essential=topic in self._essential_topics,
        )
        self.torn_bytes += partition_log.torn_bytes
        return partition_log

    def note_failed(self, failures: dict[str, int], topic: str) -> None:
        """Count a partition of `failed_appends` or `failed_reads` that was answered with an error."""
        name = topic if (topic, 0) in self._logs else ""
        failures[name] = failures.get(name, 0) + 1

    def opened(self) -> list[PartitionLog]:
        """The logs that somebody has used since the start."""
        return self._opened()

    def _opened(self) -> list[PartitionLog]:
        return [partition_log for partition_log in self._logs.values() if partition_log is not None]

    def _folder(self, topic: str, partition: int) -> str:
        return self._folders.path(topic, partition)

    def _are_all_checked(self) -> bool:
        """Whether every partition was opened since the start, or has nothing that could be wrong."""
        return all(
            log is not None or key in self._recovered or self._folders.is_wanted(key) for key, log in self._logs.items()
        )

    # -- what the broker's loop does from time to time

    @property
    def is_dirty(self) -> bool:
        """Whether `start_flush` may have something to do, now or later."""
        return bool(self._dirty)

    def start_flush(self, now_ms: int) -> FlushJob | None:
        """What has to be forced to disk now, as a job for a thread; None if nothing has. See `flush`.

        Call it every `flush_policy.interval_ms`, and at once when `on_flush_wanted` says so; one job at a time.
        """
        due = [partition_log for partition_log in self._dirty if partition_log.is_flush_due(now_ms)]
        if not due:
            return None
        for partition_log in due:
            del self._dirty[partition_log]
        return FlushJob([partition_log.flush_target() for partition_log in due])

    def flush_dirty(self, now_ms: int) -> None:
        """`start_flush`, its job and the end of it, here and now."""
        job = self.start_flush(now_ms)
        if job is not None:
            job.run()
            job.finish()

    def retain_all(self, now_ms: int) -> int:
        """Delete what retention no longer keeps, in every partition; return how many segments. See `retain_each`."""
        return sum(self.retain_each(now_ms))

    def retain_each(self, now_ms: int) -> Iterator[int]:
        """The same in steps of one partition, so that the loop can do other things in between.

        Opens partitions that nobody asked for since the start.
        Differs from Kafka: a wall clock that jumped more than a day ahead is not believed until the next check, because
        a wrong clock would delete everything at once.
        """
        if self._has_clock_jumped(now_ms):
            log.warning("retention waits for the next check: the clock jumped by more than a day")
            return
        for topic, partition in self.partitions():
            if (topic, partition) not in self._logs or self._folders.is_wanted((topic, partition)):
                continue
            try:
                partition_log = self.get(topic, partition)
                assert partition_log is not None
                yield partition_log.retain(now_ms, producer_id_expiration_ms=self._producer_id_expiration_ms)
            except PartitionRecovering:
                continue
            except KafkaStorageError as error:
                log.error("retention failed topic=%s partition=%d error=%s", topic, partition, error)

    def _has_clock_jumped(self, now_ms: int) -> bool:
        earlier, self._last_retention = self._last_retention, (now_ms, self._clock.monotonic_ms())
        if earlier is None:
            return False
        return (now_ms - earlier[0]) - (self._last_retention[1] - earlier[1]) > _CLOCK_JUMP_MS

    def write_checkpoints(self) -> None:
        """Write the four offset checkpoints, and index entries that files lack. Raises OSError.

        Every `log.flush.offset.checkpoint.interval.ms` the same is done in steps: `persist_indexes`, and what
        `start_checkpoints` returns in a thread of its own, because it takes some fsyncs.
        """
        for _ in self.persist_indexes():
            pass
        self.start_checkpoints()()

    def persist_indexes(self) -> Iterator[None]:
        """Write the index entries that files lack, one log a step."""
        for partition_log in self._opened():
            if not partition_log.is_closed:
                partition_log.persist_indexes()
                yield

    def start_checkpoints(self) -> Callable[[], None]:
        """Gather what the checkpoints say; the returned function writes them and may run in any thread."""
        for partition_log in self._opened():
            key = partition_log.topic, partition_log.partition
            self._recovery_points[key] = partition_log.recovery_point
            self._high_watermarks[key] = partition_log.high_watermark
        return self._checkpoints.gather(
            {
                RECOVERY_POINT_FILE: offsets_text(self._recovery_points),
                HIGH_WATERMARK_FILE: offsets_text(self._high_watermarks),
                LOG_START_FILE: self._log_starts_text(),
                CLEANER_FILE: offsets_text(self._cleaned),
            }
        )

    # -- compaction: see `broker.cleaner`

    def compacted_partitions(self) -> list[TopicPartition]:
        """Those whose topic has the cleanup policy `compact`, opened or not."""
        compacted = {topic for topic, config in self._configs.items() if config.is_compacting}
        return [key for key in self._logs if key[0] in compacted and not self._folders.is_wanted(key)]

    def cleaned_offset(self, topic: str, partition: int) -> int:
        """Up to where the partition was compacted."""
        return self._cleaned.get((topic, partition), 0)

    def note_cleaned(self, topic: str, partition: int, end_offset: int) -> Callable[[], None]:
        """The partition is compacted up to there; the returned function writes it down and may run in any thread."""
        if (topic, partition) in self._logs:
            self._cleaned[topic, partition] = end_offset
        return self._checkpoints.gather({CLEANER_FILE: offsets_text(self._cleaned)})

    def remove_deleted(self, now_ms: int) -> int:
        """Remove deleted partitions and segments whose delay is over; return how many. May run in any thread.

        A full disk waits for no delay.
        """
        count = 0
        for _ in range(len(self._to_remove)):
            try:
                due_ms, path = self._to_remove.popleft()
            except IndexError:  # another thread had it
                break
            if due_ms > now_ms and not self.reserve.is_spent:
                self._to_remove.append((due_ms, path))
                continue
            count += 1
            if path.endswith("-delete"):
                shutil.rmtree(path, ignore_errors=True)
            else:
                Path(path).unlink(missing_ok=True)
        return count

    def make_room(self) -> None:
        """On a full disk, remove at once what is deleted."""
        if self.reserve.is_spent:
            self.remove_deleted(self._clock.now_ms())

    # -- what the logs ask for (LogOwner)

    def mark_dirty(self, partition_log: PartitionLog, *, is_urgent: bool = True) -> None:
        """The log has bytes that should be forced to disk; unless urgent, with the next round."""
        self._dirty[partition_log] = None
        if self.on_dirty is not None:
            self.on_dirty()
        if is_urgent and partition_log.is_strict and self.on_flush_wanted is not None:
            self.on_flush_wanted()

    def remove_later(self, paths: list[str], delay_ms: int) -> None:
        """These files are no longer used; remove them after the delay."""
        due_ms = self._clock.now_ms() + delay_ms
        self._to_remove.extend((due_ms, path) for path in paths)

    def save_log_start_offsets(self) -> None:
        """Write the log start offsets now. Raises OSError."""
        self.reserve.with_room(self.start_log_starts())

    def start_log_starts(self) -> Callable[[], None]:
        """Gather the log start offsets; the returned function writes them and may run in any thread."""
        return self._checkpoints.gather({LOG_START_FILE: self._log_starts_text()})

    def _log_starts_text(self) -> str:
        for partition_log in self._opened():
            key = partition_log.topic, partition_log.partition
            if partition_log.log_start_offset > partition_log.first_segment_offset:
                self._log_starts[key] = partition_log.log_start_offset
            else:
                self._log_starts.pop(key, None)
        return offsets_text(self._log_starts)


def _lock(root: Path) -> int:
    """Hold the folder's lock: flock against ourselves, a POSIX lock against a real Kafka, which takes that kind."""
    fd = os.open(root / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise DataRootError(
            f"the data folder {root} is in use by another broker: stop it, or choose another folder"
        ) from error
    return fd


def _check_meta(root: Path, node_id: int, cluster_id: str | None) -> str:
    """The cluster id of `meta.properties`, which is made if missing. Raises DataRootError if it is not ours."""
    path = root / META_FILE
    try:
        meta = read_properties(path)
    except UnicodeDecodeError as error:
        raise DataRootError(f"{path} is damaged: {error}") from error
    if meta is None:
        made_id = cluster_id or _random_uuid()
        lines = ["#", f"cluster.id={made_id}", "version=1", f"node.id={node_id}", f"directory.id={_random_uuid()}", ""]
        write_atomically(path, "\n".join(lines))
        return made_id
    if meta.get("version") != "1":
        raise DataRootError(f"{path} has version {meta.get('version')!r}, expected '1'")
    if meta.get("node.id") != str(node_id):
        raise DataRootError(
            f"{path} says node.id={meta.get('node.id')}, the broker is configured as {node_id}: "
            f"set node.id={meta.get('node.id')} or choose another folder"
        )
    found = meta.get("cluster.id")
    if not found:
        raise DataRootError(f"{path} has no cluster.id")
    if cluster_id is not None and cluster_id != found:
        raise DataRootError(f"{path} belongs to cluster {found}, not to {cluster_id}: choose another folder")
    return found


def _random_uuid() -> str:
    """A random id in Kafka's text form; like Kafka, none that a command line would take for an option."""
    while True:
        text = encode_uuid(uuid.uuid4().bytes)
        if not text.startswith("-"):
            return text


def _take_clean_shutdown_marker(root: Path) -> bool:
    """Whether the last stop was clean; a crash from now on is none."""
    try:
        os.unlink(root / CLEAN_SHUTDOWN_FILE)
    except FileNotFoundError:
        return not any(_PARTITION_FOLDER.fullmatch(entry.name) for entry in os.scandir(root))
    sync_directory(root)
    return True
