package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.capture.BootBlocks;
import dev.ebb.computeservice.capture.Capturer;
import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.computeservice.skeleton.Skeleton;
import dev.ebb.shared.bus.ComputeMessage.WakeParts;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest;
import java.time.Clock;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts a branch's primary from its head:
 *
 * <ol>
 *   <li>raise the generation by compare-and-set on the head: from here on no older primary can
 *       commit a snapshot;
 *   <li>open the log: from here on no older primary can make a commit durable. After a clean
 *       suspend the log ends where the snapshot does, and PostgreSQL starts meanwhile; after a
 *       crash, E and the WAL up to it come first;
 *   <li>lay out the skeleton, start PostgreSQL, wait until it accepts connections;
 *   <li>of a child that has never got this far, roll back what its parent had prepared;
 *   <li>start the WAL receiver. Commits wait for it; reads do not.
 * </ol>
 *
 * <p>After a clean suspend the third step is taken in advance, up to the start of PostgreSQL.
 */
public final class PrimaryStarter {
  private static final Logger log = LoggerFactory.getLogger(PrimaryStarter.class);
  private final PrimaryContext context;
  private final PreparedStarts<PreparedStart> prepared;

  public PrimaryStarter(PrimaryContext context) {
    this.context = context;
    this.prepared = new PreparedStarts<>(context.config().preparedStarts());
  }

  /** Times the steps. */
  private static final class Stopwatch {
    private final long begin = System.nanoTime();
    private long last = begin;

    long lapMicros() {
      long now = System.nanoTime();
      long lap = (now - last) / 1_000;
      last = now;
      return lap;
    }

    long totalMicros() {
      return (System.nanoTime() - begin) / 1_000;
    }
  }

  /**
   * Starts it.
   *
   * @param prepare runs when PostgreSQL accepts connections, before the receiver starts; does
   *     nothing but at a database's first start
   */
  Primary start(BranchId branch, Consumer<Primary> prepare) {
    var watch = new Stopwatch();
    Launch prepared = launchPrepared(branch);
    if (prepared == null) {
      fetchAhead(branch);
    }
    BranchHeads.Opened opened;
    try {
      opened = context.heads().openGeneration(branch);
    } catch (RuntimeException e) {
      discard(prepared);
      throw e;
    }
    long headMicros = watch.lapMicros();
    if (prepared != null && !prepared.start().isFor(opened)) {
      discard(prepared);
      prepared = null;
    }
    BranchHead head = opened.head();
    ReadSnapshot snapshot =
        prepared == null ? ReadSnapshot.of(head, context.heads()) : prepared.start().snapshot();
    Manifest manifest =
        prepared == null ? snapshot.read(context.pages()::manifest) : prepared.start().manifest();
    long manifestMicros = watch.lapMicros();
    var wal = new WalAttachment(context.bus(), branch, head.generation(), manifest);
    CompletableFuture<Lsn> logOpen =
        CompletableFuture.supplyAsync(
            () -> openLog(wal, head, opened.previous().closed()), PrimaryStarter::inBackground);
    Skeleton.Tail tail = opened.previous().closed() ? null : tail(wal, logOpen);
    long logMicros = watch.lapMicros();
    Launch launch = prepared == null ? lay(head, snapshot, manifest, tail) : prepared;
    long skeletonMicros = watch.lapMicros();
    PreparedStart laid;
    try {
      laid = launch.await();
    } catch (EbbException e) {
      if (prepared == null) {
        throw e;
      }
      // Somebody emptied the cache, perhaps.
      log.warn(
          "branch {}: its prepared start is of no use, laying out another: {}",
          branch,
          e.getMessage());
      laid = lay(head, snapshot, manifest, tail).await();
    }
    var parts =
        new WakeParts(
            headMicros,
            manifestMicros,
            logMicros,
            skeletonMicros,
            watch.lapMicros(),
            watch.totalMicros());
    Primary primary;
    try {
      primary =
          new Primary(
              context,
              head,
              laid.instance(),
              wal,
              () -> join(logOpen),
              () -> openLog(wal, head, false),
              capturer(head, snapshot, manifest, laid.instance()),
              parts);
    } catch (RuntimeException e) {
      laid.delete();
      throw e;
    }
    laid.self().set(primary);
    settle(primary, head, prepare);
    log.info(
        "branch {}: generation {} accepts connections after {} us (from {}{}{})",
        branch,
        head.generation(),
        parts.totalMicros(),
        laid.instance().startLsn(),
        prepared == null ? "" : ", prepared",
        tail == null ? "" : ", recovered from " + tail.from());
    return primary;
  }

  /**
   * Opens the log, and makes it where the branch is a child that was never started. Nothing is
   * acknowledged before the head says that there is one.
   */
  private Lsn openLog(WalAttachment wal, BranchHead head, boolean closed) {
    if (head.logMade()) {
      return wal.open(closed);
    }
    wal.make();
    Lsn end = wal.open(closed);
    context.heads().markLogMade(head.branch(), head.generation());
    return end;
  }

  /** What comes before anybody is told of it; ends what of it has begun where it fails. */
  private static void settle(Primary primary, BranchHead head, Consumer<Primary> prepare) {
    try {
      prepare.accept(primary);
      if (head.inherits()) {
        primary.disinherit();
      }
      primary.lookAfter();
    } catch (RuntimeException e) {
      primary.destroy();
      throw e;
    }
  }

  /** A start whose PostgreSQL is on its way. */
  private record Launch(PreparedStart start, CompletableFuture<Void> ready) {
    static Launch of(PreparedStart start) {
      return new Launch(
          start,
          CompletableFuture.runAsync(
              () -> start.instance().launch(), PrimaryStarter::inBackground));
    }

    /** Waits until PostgreSQL accepts connections; deletes the start where it does not. */
    PreparedStart await() {
      try {
        join(ready);
        return start;
      } catch (RuntimeException e) {
        start.delete();
        throw e;
      }
    }
  }

  /**
   * Launches what was prepared for a branch, before its head is read: until the head is raised
   * nobody is told of it, and until its log is open nothing that it does can be acknowledged.
   */
  private @Nullable Launch launchPrepared(BranchId branch) {
    PreparedStart start = prepared.take(branch);
    return start == null ? null : Launch.of(start);
  }

  /**
   * Has the page service fetch what a start needs while the head is raised: from a store that is
   * far away they would come one after the other. A wrong guess costs these reads.
   */
  private void fetchAhead(BranchId branch) {
    context
        .heads()
        .lastSeen(branch)
        .map(BranchHead::manifestKey)
        .filter(key -> !key.isEmpty())
        .ifPresent(key ->
            inBackground(() -> {
              try {
                var _ = context.pages().bootPages(key);
              } catch (EbbException e) {
                log.debug("branch {}: nothing fetched ahead: {}", branch, e.getMessage());
              }
            }));
  }

  private Launch lay(
      BranchHead head, ReadSnapshot snapshot, Manifest manifest, Skeleton.@Nullable Tail tail) {
    return Launch.of(PreparedStart.lay(context.instances(), head, snapshot, manifest, tail));
  }

  private static void discard(@Nullable Launch launch) {
    if (launch != null) {
      // A launch must be over before what it uses is deleted.
      var _ =
          launch
              .ready()
              .whenCompleteAsync(
                  (ok, error) -> launch.start().delete(), PrimaryStarter::inBackground);
    }
  }

  /**
   * Lays out the start that follows a clean suspend, while nobody waits for it.
   *
   * @param fill whether its first pages are put in place as well; where somebody may be about to
   *     wake it, that is better done while PostgreSQL starts
   */
  void prepareNext(BranchId branch, boolean fill) {
    prepared.prepare(
        branch,
        () -> {
          BranchHead head =
              context.heads().read(branch).map(BranchHeads.Versioned::head).orElse(null);
          if (head == null || !head.closed() || head.dropped()) {
            return null;
          }
          Manifest manifest = context.pages().manifest(head.manifestKey());
          BranchHead next = BranchHeads.opened(head);
          PreparedStart start =
              PreparedStart.lay(
                  context.instances(),
                  next,
                  ReadSnapshot.of(next, context.heads()),
                  manifest,
                  null);
          if (fill) {
            start.instance().fillAhead();
          }
          return start;
        });
  }

  /** Deletes what was prepared for a branch. */
  void forget(BranchId branch) {
    prepared.forget(branch);
  }

  /** Deletes all that was prepared. */
  void close() {
    prepared.close();
  }

  private static void inBackground(Runnable task) {
    Thread.ofVirtual().start(task);
  }

  private static Skeleton.@Nullable Tail tail(WalAttachment wal, CompletableFuture<Lsn> logOpen) {
    Lsn end = join(logOpen);
    Lsn from = wal.replayFrom();
    return end.isAfter(from)
        ? new Skeleton.Tail(from, end, sink -> wal.read(from, end, sink))
        : null;
  }

  private Capturer capturer(
      BranchHead head, ReadSnapshot snapshot, Manifest manifest, PostgresInstance instance) {
    var boot =
        new BootBlocks(manifest.bootBlocks(), instance.hydrator()::demanded, instance.localFiles());
    return new Capturer(
        head,
        snapshot,
        manifest,
        instance.startLsn(),
        instance.dataDirectory(),
        instance.localFiles(),
        context.pages(),
        boot,
        context.config().captureWalBytes(),
        context.config().captureIntervalMs(),
        Clock.systemUTC(),
        context.captureMeters());
  }

  private static <T> T join(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof EbbException known) {
        throw known;
      }
      throw new EbbException.Unavailable(String.valueOf(e.getMessage()), e);
    }
  }
}
