package dev.ebb.computeservice.capture;

import dev.ebb.computeservice.audit.CaptureAudit;
import dev.ebb.computeservice.blockmap.BlockCapture;
import dev.ebb.computeservice.blockmap.LocalFiles;
import dev.ebb.computeservice.blockmap.PageStamps;
import dev.ebb.computeservice.pages.CaptureSink;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.WalPages;
import dev.ebb.computeservice.sql.AdminConnection;
import dev.ebb.computeservice.template.SkeletonCheck;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes snapshots of one compute. The order of what is read is what makes them right (storage rules
 * 13, 14, 35): a running compute's {@code CHECKPOINT}, then {@code pg_control}, then small files,
 * then blocks, their audit against the WAL (rule 36), then a forced commit, U, the wait until the
 * log is durable up to U, and only then the manifest. A capture that fails anywhere leaves the last
 * snapshot and makes its blocks dirty again.
 *
 * <p>Not thread-safe: the thread that looks after a primary captures it.
 */
public final class Capturer {
  private static final Logger log = LoggerFactory.getLogger(Capturer.class);
  private static final Duration CHECKPOINT_TIMEOUT = Duration.ofMinutes(10);
  private static final long SQL_TIMEOUT_MS = 10_000;
  private static final long DURABLE_TIMEOUT_MS = 60_000;
  private static final long SETTLE_MS = 10_000;

  /** The pause behind a capture that failed; doubled with each that follows, up to the interval. */
  private static final long FIRST_PAUSE_MS = 1_000;

  private static final int MAX_DOUBLINGS = 10;

  /** How long a page may take from its WAL to its file. */
  private static final long AUDIT_PATIENCE_MS = 10_000;

  private final BranchHead head;
  private final ReadSnapshot snapshot;
  private final Manifest base;
  private final Path dataDirectory;
  private final LocalFiles files;
  private final PageClient pages;
  private final BootBlocks bootBlocks;
  private final long walBytes;
  private final long intervalMs;
  private final Clock clock;
  private final CaptureMeters meters;
  private final Lsn replayedTo;

  /** Where the WAL begins that the next capture is audited against. */
  private Lsn auditedTo;

  /** Of the last capture: the pages that it found changed behind its redo point. */
  private PageStamps before = new PageStamps();

  private boolean inDoubt;
  private Lsn capturedTo;
  private long capturedAtMs;

  /** In a row. */
  private int failures;

  private volatile long notBeforeMs;

  /** Of the capture under way. */
  private volatile Step step = new Step("nothing", 0);

  /**
   * Where a capture is.
   *
   * @param name what it does or waits for
   * @param sinceNanos when it began that, by {@link System#nanoTime}
   */
  private record Step(String name, long sinceNanos) {}

  /** The branch's log. */
  public interface Log {
    /** Waits until it is durable up to a position; an invalid one asks how far it is. */
    WalMessage.DurableLsn awaitDurable(Lsn lsn, long timeoutMs);

    /** Some of the WAL from one position on, not beyond another. */
    byte[] readSome(Lsn from, Lsn to);
  }

  /**
   * Makes the capturer of one compute.
   *
   * @param head of the branch, at this compute's generation
   * @param snapshot what the next one builds on; advanced with each that is committed
   * @param base the snapshot that it started from
   * @param replayedTo up to where it replayed WAL then
   * @param walBytes captures are due after so much WAL
   * @param intervalMs or after so much time, where there is WAL at all
   */
  public Capturer(
      BranchHead head,
      ReadSnapshot snapshot,
      Manifest base,
      Lsn replayedTo,
      Path dataDirectory,
      LocalFiles files,
      PageClient pages,
      BootBlocks bootBlocks,
      long walBytes,
      long intervalMs,
      Clock clock,
      CaptureMeters meters) {
    this.head = head;
    this.snapshot = snapshot;
    this.base = base;
    this.replayedTo = replayedTo;
    this.meters = meters;
    this.dataDirectory = dataDirectory;
    this.files = files;
    this.pages = pages;
    this.bootBlocks = bootBlocks;
    this.walBytes = walBytes;
    this.intervalMs = intervalMs;
    this.clock = clock;
    this.auditedTo = base.replayFrom();
    this.capturedTo = auditedTo;
    this.capturedAtMs = clock.millis();
  }

  /** Whether enough has happened since the last snapshot. */
  public boolean isDue(Lsn flushed) {
    long behind = flushed.minus(capturedTo);
    return behind >= walBytes || (behind > 0 && clock.millis() - capturedAtMs >= intervalMs);
  }

  /**
   * Whether captures pause, because the last one failed: each writes its packs before it knows, and
   * a store that takes no commit keeps them.
   */
  public boolean pauses() {
    return clock.millis() < notBeforeMs;
  }

  /** What the capture under way does or waits for, and for how long it has. */
  public String progress() {
    Step now = step;
    return now.name() + " for " + (System.nanoTime() - now.sinceNanos()) / 1_000_000 + " ms";
  }

  private void step(String name) {
    step = new Step(name, System.nanoTime());
  }

  private void failed(Throwable e) {
    meters.failed(e);
    long pauseMs = FIRST_PAUSE_MS << Math.min(failures++, MAX_DOUBLINGS);
    notBeforeMs = clock.millis() + Math.min(pauseMs, intervalMs);
  }

  /**
   * A snapshot of the running compute.
   *
   * @return what was committed; empty where it was not the moment for one
   */
  public Optional<Manifest> captureRunning(AdminConnection sql, Log wal) {
    capturedAtMs = clock.millis();
    long begin = System.nanoTime();
    step("looks for databases in the making");
    Set<String> databases = quietDatabases(sql);
    if (databases.isEmpty()) {
      log.debug("branch {}: a database is being made, captured later", head.branch());
      return Optional.empty();
    }
    var blocks = new BlockCapture(files, SETTLE_MS);
    try {
      // Before the checkpoint: this record lies at or before its redo point.
      step("asks for the log's end");
      long walOffset = wal.awaitDurable(Lsn.INVALID, DURABLE_TIMEOUT_MS).offset();
      step("waits for the checkpoint");
      await(sql.checkpoint(CHECKPOINT_TIMEOUT), CHECKPOINT_TIMEOUT.toMillis());
      meters.checkpointed(System.nanoTime() - begin);
      return Optional.of(capture(blocks, databases, walOffset, sql, wal, begin));
    } catch (IOException e) {
      blocks.abort();
      failed(e);
      throw new EbbException.Unavailable("capture of branch " + head.branch() + ": " + e, e);
    } catch (RuntimeException | Error e) {
      // Of an Error, too: blocks that stay claimed are neither dirty nor in a snapshot, and the
      // next capture would leave them out.
      blocks.abort();
      failed(e);
      throw e;
    }
  }

  private Manifest capture(
      BlockCapture blocks,
      Set<String> databases,
      long walOffset,
      AdminConnection sql,
      Log wal,
      long begin)
      throws IOException {
    step("reads blocks");
    try (CaptureSink sink = openCapture()) {
      PgControl control = readControl();
      SmallFiles.Found small = SmallFiles.read(dataDirectory, control, false);
      var runs = new PageRuns(sink);
      blocks.run(runs);
      Lsn end;
      try (var audit =
          new CaptureAudit(subject(control.redo(), control.major(), blocks, wal), runs)) {
        step("is audited");
        long auditBegin = System.nanoTime();
        CaptureAudit.Result result =
            audit.run(() -> await(sql.flushLsn(), SQL_TIMEOUT_MS), AUDIT_PATIENCE_MS);
        long auditNanos = System.nanoTime() - auditBegin;
        meters.audited(result, auditNanos);
        log.debug("branch {}: audited in {} us: {}", head.branch(), auditNanos / 1_000, result);
        runs.flush();
        if (!databases.equals(quietDatabases(sql))) {
          // A database that is being made or dropped is not all there, and the WAL may not say so.
          throw new EbbException.Conflict("a database was made or dropped meanwhile");
        }
        end = endOfAllThatWasRead(sql);
        step("is audited up to its end");
        audit.end(end);
      }
      step("waits until its end is durable");
      wal.awaitDurable(end, DURABLE_TIMEOUT_MS);
      step("is committed");
      Manifest manifest =
          manifest(
              sink,
              control,
              end,
              false,
              small,
              blocks.table(),
              List.of(),
              List.of(),
              new Logins(List.of(), List.of()),
              walOffset);
      PageMessage.CaptureCommitted committed = sink.commit(manifest, false);
      // First where to read from, then what is clean: a clean block may be evicted at once.
      committed(committed.manifestKey());
      blocks.commit();
      failures = 0;
      auditedTo = control.redo();
      before = blocks.stamps().behind(auditedTo.value());
      meters.captured(blocks.stamps().pages(), committed.bytesWritten(), System.nanoTime() - begin);
      // Behind the records of this capture itself, or an idle compute would be captured forever.
      capturedTo = await(sql.flushLsn(), SQL_TIMEOUT_MS);
      log.info(
          "branch {}: snapshot at redo {} up to {}: {} pages, {} bytes",
          head.branch(),
          control.redo(),
          end,
          committed.pages(),
          committed.bytesWritten());
      return manifest;
    }
  }

  /**
   * U: the end of a record that is made and committed when all is read. Not the flush LSN before
   * it: who aborts flushes nothing ({@code RecordTransactionAbort} in {@code xact.c}), nor does a
   * truncation of a table without a free space map ({@code storage.c}), and their files are gone at
   * once. Up to such a U the WAL would change pages of files that the snapshot does not have, and
   * the word that they went would lie behind it: at U a replica takes itself for consistent, and
   * takes that for damage ({@code CheckRecoveryConsistency} in {@code xlogrecovery.c}, {@code
   * XLogCheckInvalidPages} in {@code xlogutils.c}). Nor the flush LSN behind it, which may lie in
   * the middle of a record ({@code XLogBackgroundFlush} ends at a page's end): were the rest of
   * that record never durable, no log would reach U.
   */
  private Lsn endOfAllThatWasRead(AdminConnection sql) {
    long begin = System.nanoTime();
    step("forces a commit");
    Lsn end = await(sql.forceCommit(Duration.ofMillis(DURABLE_TIMEOUT_MS)), DURABLE_TIMEOUT_MS);
    meters.committed(System.nanoTime() - begin);
    return end;
  }

  private CaptureAudit.Subject subject(
      Lsn redo, WalVersion walVersion, BlockCapture blocks, Log wal) {
    return new CaptureAudit.Subject(
        head.branch().value(),
        dataDirectory.resolve("pg_wal"),
        walVersion,
        base.walSegmentBytes(),
        auditedTo,
        redo,
        replayedTo,
        blocks,
        before,
        wal::readSome,
        CaptureAudit.Snapshot.newest(snapshot, pages::read));
  }

  /**
   * A snapshot of the compute after its clean stop; closes the log.
   *
   * @param logins as of the stop
   * @param logEnd how far the log is durable, and in which record of the topic
   * @return where the log ends
   */
  public Lsn captureStopped(Logins logins, WalMessage.DurableLsn logEnd) {
    var blocks = new BlockCapture(files, SETTLE_MS);
    try (CaptureSink sink = openCapture()) {
      PgControl control = readControl();
      if (!control.stoppedCleanly()) {
        throw new EbbException.Unavailable(
            "PostgreSQL did not write its shutdown checkpoint; the next start recovers");
      }
      WalPages.CleanStop wal = WalPages.cleanStop(dataDirectory.resolve("pg_wal"), control);
      if (logEnd.lsn().isBefore(wal.endLsn())) {
        throw new EbbException.Unavailable(
            "the log is durable up to "
                + logEnd.lsn()
                + " only, PostgreSQL stopped at "
                + wal.endLsn());
      }
      SmallFiles.Found small = SmallFiles.read(dataDirectory, control, true);
      var runs = new PageRuns(sink);
      List<Manifest.BlockFile> table = blocks.run(runs);
      runs.flush();
      List<Manifest.BlockRun> boot =
          bootBlocks.put(SkeletonCheck.requiredBlocks(control, table), table, sink);
      sink.commit(
          manifest(
              sink,
              control,
              wal.endLsn(),
              true,
              small,
              table,
              wal.pieces(),
              boot,
              logins,
              logEnd.offset()),
          true);
      return wal.endLsn();
    } catch (IOException e) {
      throw new EbbException.Unavailable("capture of branch " + head.branch() + ": " + e, e);
    }
  }

  /**
   * Begins a capture on the newest snapshot. After one that failed, that may be one of which no
   * answer came: what it captured is dirty again, so that building on it is as right as building on
   * the one before.
   */
  private CaptureSink openCapture() {
    if (inDoubt) {
      snapshot.refresh();
    }
    inDoubt = true;
    return pages.openCapture(head.branch(), head.generation(), snapshot.key());
  }

  private void committed(String manifestKey) {
    snapshot.advance(manifestKey);
    inDoubt = false;
  }

  private Manifest manifest(
      CaptureSink sink,
      PgControl control,
      Lsn end,
      boolean clean,
      SmallFiles.Found small,
      List<Manifest.BlockFile> table,
      List<Manifest.WalPiece> wal,
      List<Manifest.BlockRun> boot,
      Logins logins,
      long walOffset) {
    return new Manifest(
        sink.snapshot(),
        head.branch(),
        head.generation(),
        base.postgresVersion(),
        head.systemIdentifier(),
        base.walSegmentBytes(),
        1,
        control.redo(),
        control.checkpoint(),
        end,
        clean,
        files.map().nextIncarnation(),
        small.directories(),
        small.files(),
        table,
        wal,
        "",
        boot,
        logins.roles(),
        walOffset,
        0,
        List.of(),
        new byte[0],
        logins.restricted());
  }

  /** The control file, read again where it was being written (its CRC tells). */
  private PgControl readControl() throws IOException {
    for (int attempt = 1; ; attempt++) {
      try {
        return PgControl.read(dataDirectory);
      } catch (EbbException.Corrupt e) {
        if (attempt == 100) {
          throw e;
        }
        Thread.onSpinWait();
      }
    }
  }

  /** The directories below base; empty where some session is making or dropping a database. */
  private Set<String> quietDatabases(AdminConnection sql) {
    if (await(sql.isChangingDatabases(), SQL_TIMEOUT_MS)) {
      return Set.of();
    }
    return SmallFiles.children(dataDirectory.resolve("base"));
  }

  private static <T> T await(io.vertx.core.Future<T> future, long timeoutMs) {
    return BlockingBus.await(future, timeoutMs);
  }
}
