package dev.ebb.computeservice.audit;

import dev.ebb.computeservice.blockmap.BlockCapture;
import dev.ebb.computeservice.blockmap.PageStamps;
import dev.ebb.computeservice.blockmap.PageVisitor;
import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.computeservice.postgres.WalStream;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.wal.ImageCompression;
import dev.ebb.shared.wal.WalBlock;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The audit of one capture (storage rule 36). Replay begins at the snapshot's redo point, so what
 * the WAL below it did must be in the snapshot's pages. PostgreSQL's checkpoint sees to that for
 * shared buffers; who writes beside them ({@code bulk_write.c}: index builds, CLUSTER, VACUUM FULL)
 * inserts the WAL first and relies on an fsync of its own afterwards. The audit reads the WAL of
 * (last snapshot's redo, this one's redo] and looks at the LSN of every page that a record changed.
 *
 * <p>The WAL is read twice, record by record: for what was taken away by then, and for what must be
 * there. So it takes the same little memory whatever the range is: what is kept is the pages that
 * are behind, which no more than {@link #MAX_BEHIND} may be.
 *
 * <p>Not thread-safe; one for each capture.
 */
public final class CaptureAudit implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(CaptureAudit.class);
  private static final int MAX_BEHIND = 100_000;
  private static final int MAX_PAGE_HEADER_BYTES = 40;
  private static final int PAGE_BYTES = 8192;

  /** {@code pd_upper} of a page's header. */
  private static final int UPPER_AT = 14;

  private static final int VIEWS = 1 << 12;
  private static final long FIRST_PAUSE_NANOS = 1_000_000;
  private static final long MAX_PAUSE_NANOS = 100_000_000;

  /** The branch's log. */
  @FunctionalInterface
  public interface Log {
    /** Some of the WAL from one position on, not beyond another. */
    byte[] read(Lsn from, Lsn to);
  }

  /** Where the pages of the last snapshot come from. */
  @FunctionalInterface
  public interface Snapshot {
    /** One block of a file. */
    byte[] read(FileKey file, int incarnation, int block);

    /** The newest one, under whatever key it is by now: a compaction moves it, and the old goes. */
    static Snapshot newest(ReadSnapshot snapshot, Pages pages) {
      return (file, incarnation, block) ->
          snapshot.read(key -> pages.read(key, file, incarnation, block, 1));
    }

    /** Blocks as a manifest finds them. */
    @FunctionalInterface
    interface Pages {
      /** {@code count} blocks of a file. */
      byte[] read(String manifestKey, FileKey file, int incarnation, int first, int count);
    }
  }

  /**
   * What is audited.
   *
   * @param label names the branch in log lines
   * @param walDirectory {@code pg_wal}
   * @param walVersion which PostgreSQL wrote it
   * @param from the last snapshot's redo point; the end of a clean one
   * @param redo this snapshot's
   * @param replayedTo up to where the compute replayed WAL when it started: what that left alone is
   *     in the last snapshot already
   * @param capture which has run
   * @param before of the last capture: of the pages that it found changed behind its redo point
   * @param log the branch's log, for what is not in {@code pg_wal} any more
   * @param last the last snapshot
   */
  public record Subject(
      String label,
      Path walDirectory,
      WalVersion walVersion,
      int walSegmentBytes,
      Lsn from,
      Lsn redo,
      Lsn replayedTo,
      BlockCapture capture,
      PageStamps before,
      Log log,
      Snapshot last) {}

  /**
   * What it came to.
   *
   * @param records of WAL that were read
   * @param references to blocks that were looked up
   * @param late pages that reached their file only while the audit waited for them
   * @param unmarked pages that differed from the last snapshot though nobody had said so
   */
  public record Result(long records, long references, int late, int unmarked) {}

  private final Subject subject;
  private final BlockCapture capture;
  private final PageVisitor visitor;
  private final CaptureWal wal;
  private final Removals removals;
  private final View[] views = new View[VIEWS];
  private final BehindPages behind = new BehindPages();
  private long records;
  private long references;
  private int late;
  private int unmarked;

  /** One file as the capture has it by now. */
  private record View(
      int database,
      int relation,
      int fork,
      int segment,
      @Nullable BlockFile file,
      PageStamps.@Nullable OfFile now,
      PageStamps.@Nullable OfFile before) {}

  private enum Standing {
    THERE,
    BEHIND,
    /** Neither this capture read it nor the last one: it should be as it was. */
    UNREAD
  }

  /**
   * Begins; reads nothing yet.
   *
   * @param visitor takes the pages that are captured again
   */
  public CaptureAudit(Subject subject, PageVisitor visitor) {
    this.subject = subject;
    this.capture = subject.capture();
    this.visitor = visitor;
    this.wal = new CaptureWal(subject.walDirectory(), subject.walSegmentBytes(), subject.log());
    this.removals = new Removals(stream(), subject.walVersion(), subject.redo());
  }

  private WalStream stream() {
    return new WalStream(wal, subject.walVersion(), subject.walSegmentBytes(), subject.from());
  }

  /**
   * Compares, and has captured again what is behind, until nothing is.
   *
   * @param flushed asks PostgreSQL how far its WAL is flushed
   * @param patienceMs how long to wait for pages to reach their files
   * @throws EbbException.Conflict where they do not: this capture must not become a snapshot
   */
  public Result run(Supplier<Lsn> flushed, long patienceMs) throws IOException {
    removals.readTo(flushed.get());
    requireNoCopiedDatabase();
    compare();
    behind.removeIf(this::isInLastSnapshot);
    if (!behind.isEmpty()) {
      removals.readTo(flushed.get());
      behind.removeIf(this::isRemoved);
    }
    if (!behind.isEmpty()) {
      late = behind.size() - unmarked;
      waitForPages(flushed, System.nanoTime() + patienceMs * 1_000_000);
    }
    return new Result(records + removals.records(), references, late, unmarked);
  }

  /** Reads the rest of the WAL up to U: nothing in it may forbid the snapshot (storage rule 17). */
  public void end(Lsn end) throws IOException {
    removals.readTo(end);
    requireNoCopiedDatabase();
  }

  private void requireNoCopiedDatabase() {
    if (removals.copiedFiles()) {
      throw new EbbException.Conflict("a database was made by copying files meanwhile");
    }
  }

  private void compare() throws IOException {
    WalStream stream = stream();
    stream.limit(subject.redo());
    while (stream.next()) {
      records++;
      WalRecord record = stream.record();
      long lsn = Stamped.lsn(record, subject.walVersion());
      for (int i = 0; i < record.blocks(); i++) {
        if (Stamped.by(record, record.block(i), subject.walVersion())) {
          references++;
          compare(record.block(i), lsn);
        }
      }
    }
    // Between the last record and redo's there may be a page header, and nothing else.
    if (subject.redo().minus(stream.end()) > MAX_PAGE_HEADER_BYTES) {
      throw new EbbException.Corrupt(
          "the WAL below redo "
              + subject.redo()
              + " could be read up to "
              + stream.end()
              + " only");
    }
  }

  private void compare(WalBlock reference, long lsn) {
    int database = reference.dbOid();
    int relation = reference.relNumber();
    int fork = reference.fork().number();
    int block = reference.blockNumber();
    int segment = Integer.divideUnsigned(block, FileKey.BLOCKS_PER_SEGMENT);
    int inSegment = Integer.remainderUnsigned(block, FileKey.BLOCKS_PER_SEGMENT);
    View view = view(database, relation, fork, segment);
    if (standing(view, inSegment, lsn) == Standing.THERE
        || removals.explain(database, relation, fork, block, lsn)
        || isImageOfNewPage(reference)) {
      return;
    }
    behind.put(key(view), inSegment, lsn);
    if (behind.size() > MAX_BEHIND) {
      throw new EbbException.Conflict(
          "more than "
              + MAX_BEHIND
              + " blocks that the WAL below "
              + subject.redo()
              + " changed are not in the snapshot, such as "
              + behind.example());
    }
  }

  /**
   * Whether the reference has an image of a page that is not initialised ({@code PageIsNew}): such
   * a page is logged, but gets no LSN ({@code log_newpages} in {@code xloginsert.c}).
   */
  private static boolean isImageOfNewPage(WalBlock block) {
    if (block.compression() != ImageCompression.NONE || block.imageBytes() != PAGE_BYTES) {
      return false;
    }
    try {
      return block.image().getShort(UPPER_AT) == 0;
    } catch (WalException e) {
      throw WalStream.corrupt(e);
    }
  }

  private static FileKey key(View view) {
    return new FileKey(
        FileKey.Kind.RELATION, view.database(), view.relation(), view.fork(), view.segment());
  }

  private View view(int database, int relation, int fork, int segment) {
    int hash = (((database * 31 + relation) * 31 + fork) * 31 + segment) * 0x9E3779B9;
    int at = hash >>> 20;
    View view = views[at];
    if (view == null
        || view.relation() != relation
        || view.database() != database
        || view.fork() != fork
        || view.segment() != segment) {
      view = look(new FileKey(FileKey.Kind.RELATION, database, relation, fork, segment));
      views[at] = view;
    }
    return view;
  }

  private View look(FileKey key) {
    BlockFile file = capture.file(key);
    return new View(
        key.database(),
        key.relation(),
        key.fork(),
        key.segment(),
        file,
        file == null ? null : capture.stamps().of(key, file.incarnation()),
        file == null ? null : subject.before().of(key, file.incarnation()));
  }

  private static Standing standing(View view, int block, long lsn) {
    BlockFile file = view.file();
    if (file == null || block >= file.blocks()) {
      return Standing.BEHIND;
    }
    long now = view.now() == null ? PageStamps.NONE : view.now().of(block);
    if (now != PageStamps.NONE) {
      return Stamped.reaches(now, lsn) ? Standing.THERE : Standing.BEHIND;
    }
    long before = view.before() == null ? PageStamps.NONE : view.before().of(block);
    return before != PageStamps.NONE && Stamped.reaches(before, lsn)
        ? Standing.THERE
        : Standing.UNREAD;
  }

  // ---------------------------------------------------------------- what is behind

  private void waitForPages(Supplier<Lsn> flushed, long deadline) throws IOException {
    logger.info(
        "branch {}: {} blocks that the WAL below redo {} changed are not in the snapshot yet, such"
            + " as {}",
        subject.label(),
        behind.size(),
        subject.redo(),
        behind.example());
    long pause = FIRST_PAUSE_NANOS;
    while (true) {
      for (FileKey file : behind.files()) {
        capture.again(file, visitor);
      }
      behind.removeIf((file, block, lsn) -> standing(look(file), block, lsn) == Standing.THERE);
      if (behind.isEmpty()) {
        return;
      }
      removals.readTo(flushed.get());
      behind.removeIf(this::isRemoved);
      if (behind.isEmpty()) {
        return;
      }
      if (System.nanoTime() - deadline > 0) {
        throw new EbbException.Conflict(
            behind.size()
                + " blocks that the WAL below "
                + subject.redo()
                + " changed did not reach their files, such as "
                + behind.example());
      }
      if (Thread.currentThread().isInterrupted()) {
        throw new InterruptedIOException("interrupted while pages are behind");
      }
      LockSupport.parkNanos(pause);
      pause = Math.min(pause * 2, MAX_PAUSE_NANOS);
    }
  }

  private boolean isRemoved(FileKey file, int block, long lsn) {
    return removals.explain(
        file.database(),
        file.relation(),
        file.fork(),
        file.segment() * FileKey.BLOCKS_PER_SEGMENT + block,
        lsn);
  }

  /**
   * Of a block that neither capture read: whether the last snapshot has what the WAL did to it all
   * the same. Where it has not, somebody changed the block without a mark in the block map; it is
   * marked here, and captured with the others.
   */
  private boolean isInLastSnapshot(FileKey key, int block, long lsn) throws IOException {
    View view = look(key);
    BlockFile file = view.file();
    if (file == null || standing(view, block, lsn) != Standing.UNREAD) {
      return false;
    }
    long local = capture.cleanStamp(file, block);
    if (Long.compareUnsigned(lsn, subject.replayedTo().value()) <= 0
        && local != PageStamps.NONE
        && Stamped.reaches(local, lsn)) {
      return true;
    }
    long stored = storedStamp(file, block);
    if (stored != PageStamps.NONE && Stamped.reaches(stored, lsn)) {
      return true;
    }
    unmarked++;
    logger.error(
        "branch {}: block {} of {} was changed at {} without a mark in the block map; it is"
            + " captured now",
        subject.label(),
        block,
        key,
        new Lsn(lsn));
    capture.markDirty(file, block);
    return false;
  }

  private long storedStamp(BlockFile file, int block) {
    try {
      byte[] page = subject.last().read(file.key(), file.incarnation(), block);
      return PageStamps.stamp(java.nio.ByteBuffer.wrap(page));
    } catch (EbbException.NotFound | EbbException.Invalid e) {
      return PageStamps.NONE; // behind the end of what it had of the file
    }
  }

  @Override
  public void close() throws IOException {
    wal.close();
  }
}
