package dev.ebb.walservice;

import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.archive.Archiver;
import dev.ebb.walservice.fork.LogFork;
import dev.ebb.walservice.history.BranchHistory;
import dev.ebb.walservice.history.Histories;
import dev.ebb.walservice.history.KnownRecords;
import dev.ebb.walservice.history.LogEnd;
import dev.ebb.walservice.log.History;
import dev.ebb.walservice.log.LogFold;
import dev.ebb.walservice.log.LogWriter;
import dev.ebb.walservice.log.Opening;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.receive.Primary;
import dev.ebb.walservice.receive.Receiver;
import dev.ebb.walservice.receive.StreamStart;
import dev.ebb.walservice.send.DurableEnds;
import dev.ebb.walservice.session.LogSession;
import dev.ebb.walservice.session.WalMetrics;
import dev.ebb.walservice.topic.LogTopics;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The logs that this instance writes, and what is asked of them. Methods block; what they throw is
 * an {@code EbbException}.
 */
final class Logs implements DurableEnds {
  private static final Logger log = LoggerFactory.getLogger(Logs.class);

  /** A stopped generation answers for so long, in case that its answer got lost. */
  private static final Duration FORGET_AFTER = Duration.ofMinutes(10);

  /** Fits a bus message with room to spare. */
  static final int MAX_READ_BYTES = 1 << 20;

  private static final Duration TOPIC_TIMEOUT = Duration.ofSeconds(20);

  /** A cut far back means reading a large part of a topic. */
  private static final Duration FORK_TIMEOUT = Duration.ofMinutes(4);

  /** Where another instance writes a log, its topic is looked at so often. */
  private static final Duration LOOK_AGAIN = Duration.ofMillis(20);

  /** An opening that takes longer is reason to see whether the topic is still there. */
  private static final Duration VERIFY_AFTER = Duration.ofSeconds(1);

  private static final int LOCKS = 64;

  private final LogTopics topics;
  private final Histories histories;
  private final KnownRecords known;
  private final WalServiceConfig config;
  private final Receiver.Connector connector;
  private final BranchLog.Hearsay hearsay;
  private final WalMetrics metrics;
  private final Archiver archiver;
  private final ReentrantLock archiving = new ReentrantLock();
  private final Executor executor;
  private final SecureRandom random = new SecureRandom();
  private final ConcurrentHashMap<BranchId, BranchLog> logs = new ConcurrentHashMap<>();

  /** Topics whose settings are right, each with its identity. */
  private final ConcurrentHashMap<BranchId, String> verified = new ConcurrentHashMap<>();

  private final MissingTopics missing;
  private final ConcurrentHashMap<BranchId, Forking> forking = new ConcurrentHashMap<>();
  private final ReentrantLock[] locks = new ReentrantLock[LOCKS];

  Logs(
      LogTopics topics,
      Histories histories,
      KnownRecords known,
      WalServiceConfig config,
      Receiver.Connector connector,
      BranchLog.Hearsay hearsay,
      WalMetrics metrics,
      Archiver archiver,
      Executor executor) {
    this.topics = topics;
    this.histories = histories;
    this.known = known;
    this.config = config;
    this.connector = connector;
    this.hearsay = hearsay;
    this.metrics = metrics;
    this.archiver = archiver;
    this.missing = new MissingTopics(topics);
    this.executor = executor;
    for (int i = 0; i < LOCKS; i++) {
      locks[i] = new ReentrantLock();
    }
  }

  void create(WalMessage.CreateLog request) {
    topics.create(request.branch(), TOPIC_TIMEOUT);
    // Made by us just now, or to be looked at like any other.
  }

  /**
   * Makes a child's log. Where the parent's is not here, all that can be read of it is durable:
   * Kafka shows nothing else. In a broker of this process it may be read before it is on disk.
   */
  WalMessage.LogForked fork(WalMessage.ForkLog request) throws InterruptedException {
    var mine = new Forking(Thread.currentThread());
    forking.put(request.child(), mine);
    try {
      return forkFrom(request, request.walOffsetHint());
    } catch (RuntimeException | InterruptedException e) {
      if (mine.end()) {
        throw new EbbException.Conflict(
            "the log of " + request.child() + " was deleted while it was being made");
      }
      throw e;
    } finally {
      mine.end();
      forking.remove(request.child(), mine);
    }
  }

  /**
   * A log in the making. Nothing tells who appends to a topic that it is deleted: what he waits for
   * never comes.
   */
  private static final class Forking {
    private final Thread thread;
    private boolean over;
    private boolean deleted;

    Forking(Thread thread) {
      this.thread = thread;
    }

    synchronized void delete() {
      if (!over) {
        deleted = true;
        thread.interrupt();
      }
    }

    /** The thread goes on to something else; whether the log was deleted before. */
    synchronized boolean end() {
      over = true;
      if (deleted) {
        var _ = Thread.interrupted();
      }
      return deleted;
    }
  }

  private WalMessage.LogForked forkFrom(WalMessage.ForkLog request, long hint)
      throws InterruptedException {
    var fork =
        new LogFork(
            topics, asked -> histories.empty(asked.from(), hint), random.nextLong(), FORK_TIMEOUT);
    WalMessage.LogForked forked = fork.fork(request, () -> durableHere(request.parent()));
    if (forked.outcome() != WalMessage.LogForked.Outcome.NOT_IN_LOG || hint <= 0) {
      return forked;
    }
    try {
      return forkFrom(request, -1);
    } catch (EbbException.NotFound e) {
      return forked; // the beginning has expired
    }
  }

  @Override
  public long durableEnd(BranchId branch, boolean fresh, Duration timeout) {
    LogSession written = written(branch);
    long known = written == null ? -1 : written.provenOffset() + 1;
    // In a broker of this process nobody else writes a log that is written here.
    return known > 0 && (!fresh || config.local() != null)
        ? known
        : Math.max(known, topics.durableEndOffset(branch, timeout));
  }

  @Override
  public void awaitMoreThan(BranchId branch, long end, Duration timeout)
      throws InterruptedException {
    LogSession written = written(branch);
    if (written == null) {
      Thread.sleep(Duration.ofNanos(Math.min(timeout.toNanos(), LOOK_AGAIN.toNanos())));
    } else if (!written.awaitProvenBehind(end - 1, timeout) && written.end() != null) {
      Thread.sleep(LOOK_AGAIN);
    }
  }

  @Nullable LogSession written(BranchId branch) {
    BranchLog present = logs.get(branch);
    return present == null ? null : present.written();
  }

  private Lsn durableHere(BranchId branch) {
    BranchLog present = config.local() == null ? null : logs.get(branch);
    return present == null ? Lsn.INVALID : present.durable().lsn();
  }

  /**
   * Opens a generation's log.
   *
   * <p>A repeated request changes nothing: requests may come late, and their callers may have given
   * up on them and asked again.
   *
   * <p>A log that was closed is not read. What makes that safe: the fence's offset tells how many
   * records came behind the last one that the closing generation knew (the hint). Where there is
   * none, the log ends where it was closed, and nobody else has fenced it; where there are some,
   * those few are read. A closed log without a hint is read from its beginning, unless it is empty.
   */
  Lsn open(WalMessage.OpenLog request) throws InterruptedException {
    ReentrantLock lock = lock(request.branch());
    lock.lockInterruptibly();
    try {
      BranchLog present = logs.get(request.branch());
      if (present != null) {
        refuseOlder(present, request.branch(), request.generation());
        boolean again = present.generation().equals(request.generation());
        Lsn start = again ? present.openAgain(request) : null;
        if (start != null) {
          return start;
        }
        present.stop(Duration.ZERO);
        if (again) {
          // Should the opening fail, the next attempt must not find one that was stopped.
          logs.remove(request.branch(), present);
        }
      }
      var opened = new Opened(request);
      Lsn end = await(request.branch(), opened.session);
      BranchHistory history = opened.history;
      if (history != null) {
        histories.keep(request.branch(), history);
      }
      StreamStart start = opened.streamStart(end);
      var beginning = new BranchLog.Beginning(request, end, topic(request.branch()));
      logs.put(
          request.branch(),
          log(request.branch(), request.generation(), beginning, opened.session, start));
      return end;
    } finally {
      lock.unlock();
    }
  }

  /** The session of an OpenLog, and what its reading of the log left behind. */
  private final class Opened {
    final WalMessage.OpenLog request;
    final Opening opening;
    final LogSession session;
    volatile @Nullable BranchHistory history;
    volatile @Nullable LogEnd end;

    Opened(WalMessage.OpenLog request) {
      this.request = request;
      this.opening =
          Opening.of(
              request.redoLsn(),
              request.floorLsn(),
              request.clean(),
              request.closed(),
              request.walOffsetHint());
      session = session(request.branch(), request.generation(), opening, this::fold, this::findEnd);
    }

    private LogFold fold(boolean fromHint) {
      BranchHistory before = history;
      if (before != null) {
        before.close();
      }
      BranchHistory next =
          histories.empty(opening.neededFrom(), fromHint ? request.walOffsetHint() : -1);
      history = next;
      return next.fold();
    }

    private Lsn findEnd(LogFold fold) {
      LogEnd found =
          LogEnd.find(
              fold,
              opening.neededFrom(),
              request.clean() ? request.redoLsn() : Lsn.INVALID,
              request.floorLsn(),
              request.walSegmentBytes(),
              request.walOffsetHint() < 0);
      end = found;
      return found.end();
    }

    StreamStart streamStart(Lsn start) {
      LogEnd known = end;
      if (known == null) {
        known = LogEnd.closed(start, request.redoLsn());
      }
      return new StreamStart(
          start,
          known.lastRecord(),
          known.overlapFrom(),
          known.overlap(),
          request.walSegmentBytes());
    }
  }

  byte[] read(WalMessage.ReadWal request) {
    if (request.to().isBefore(request.from()) || request.maxBytes() < 1) {
      throw new EbbException.Invalid("not a range of WAL: " + request);
    }
    int maxBytes = Math.min(request.maxBytes(), MAX_READ_BYTES);
    return histories.read(request.branch(), request.from(), request.to(), maxBytes, TOPIC_TIMEOUT);
  }

  void startReceiver(WalMessage.StartReceiver request) throws InterruptedException {
    var primary =
        new Primary(
            request.systemIdentifier(),
            request.host(),
            request.port(),
            request.user(),
            request.password(),
            request.standbyName());
    ReentrantLock lock = lock(request.branch());
    lock.lockInterruptibly();
    try {
      BranchLog present = logs.get(request.branch());
      if (present != null) {
        refuseOlder(present, request.branch(), request.generation());
      }
      if (present == null || !present.generation().equals(request.generation())) {
        if (present != null) {
          present.stop(Duration.ZERO);
        }
        present = takeOver(request.branch(), request.generation(), request.startLsn());
      }
      present.startReceiver(primary);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Goes on with a generation that another instance, or this one before it was restarted, opened:
   * its primary runs, so the log goes on at its last byte, be that inside a record.
   */
  private BranchLog takeOver(BranchId branch, Generation generation, Lsn start)
      throws InterruptedException {
    // What the newest snapshot does not need is not needed here; it may be archived, or expired.
    long hint = known.newest(branch).map(KnownRecords.Known::offset).orElse(-1L);
    LogSession session = takeOverSession(branch, generation, start, Opening.takeover(start, hint));
    Lsn end = await(branch, session);
    var beginning = new BranchLog.Beginning(null, start, topic(branch));
    BranchLog taken = log(branch, generation, beginning, session, StreamStart.at(end));
    logs.put(branch, taken);
    return taken;
  }

  private LogSession takeOverSession(
      BranchId branch, Generation generation, Lsn start, Opening opening) {
    return session(
        branch,
        generation,
        opening,
        trust ->
            trust
                ? LogFold.fromValidRecord(History.NOTHING)
                : LogFold.fromBeginning(History.NOTHING),
        fold -> {
          Term last = fold.startedTerm();
          if (last == null || !last.generation().equals(generation)) {
            throw new EbbException.Corrupt(
                "generation " + generation + " of " + branch + " never opened its log");
          }
          if (fold.end().isBefore(start)) {
            throw new EbbException.Corrupt(
                "generation "
                    + generation
                    + " of "
                    + branch
                    + " started at "
                    + start
                    + ", but its log ends at "
                    + fold.end()
                    + ": it lost records");
          }
          return fold.end();
        });
  }

  private BranchLog log(
      BranchId branch,
      Generation generation,
      BranchLog.Beginning beginning,
      LogSession session,
      StreamStart start) {
    return new BranchLog(
        branch,
        generation,
        beginning,
        session,
        start,
        connector,
        metrics,
        uncertain -> {
          // Looked at again: a topic that was deleted meanwhile is never opened.
          verified.remove(branch);
          LogSession next =
              takeOverSession(branch, generation, beginning.start(), uncertain.again());
          try {
            await(branch, next);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EbbException.Unavailable("interrupted", e);
          }
          requireSame(branch, beginning.topic(), next);
          return next;
        },
        hearsay);
  }

  private String topic(BranchId branch) {
    return verified.getOrDefault(branch, "");
  }

  /** Not one that was made again meanwhile: what was acknowledged before is not in it. */
  private void requireSame(BranchId branch, String before, LogSession opened) {
    String now = topic(branch);
    // Another opening may have taken the note away: what is not known is not another one.
    if (!now.isEmpty() && !before.isEmpty() && !now.equals(before)) {
      opened.abandon("its topic is another one");
      throw new EbbException.Corrupt(
          "the log of " + branch + " is lost: its topic was deleted and made again");
    }
  }

  private LogSession session(
      BranchId branch,
      Generation generation,
      Opening opening,
      Function<Boolean, LogFold> newFold,
      Function<LogFold, Lsn> findEnd) {
    var writer = new LogWriter(new Term(generation, random.nextLong()), opening, newFold, findEnd);
    return new LogSession(topics, branch, writer, executor, metrics, config.maxInFlightBytes());
  }

  /** Opens a session; the topic's settings are checked meanwhile, once for each topic. */
  private Lsn await(BranchId branch, LogSession session) throws InterruptedException {
    String before = verified.get(branch);
    CompletableFuture<String> check =
        before != null
            ? CompletableFuture.completedFuture(before)
            : CompletableFuture.supplyAsync(() -> topics.verify(branch, TOPIC_TIMEOUT), executor);
    CompletableFuture<Lsn> opened = session.open();
    // A topic that is gone is never told from a Kafka that is slow by waiting for it.
    CompletableFuture<?> later =
        before != null
            ? CompletableFuture.runAsync(
                () -> verifyUnless(opened, branch),
                CompletableFuture.delayedExecutor(
                    VERIFY_AFTER.toMillis(), TimeUnit.MILLISECONDS, executor))
            : check;
    var _ =
        later.whenComplete((ok, error) -> {
          if (error != null) {
            opened.completeExceptionally(error);
          }
        });
    boolean done = false;
    try {
      Lsn end =
          opened
              .thenCombine(check, (lsn, ok) -> lsn)
              .get(config.openTimeout().toMillis(), TimeUnit.MILLISECONDS);
      verified.put(branch, check.join());
      done = true;
      return end;
    } catch (TimeoutException e) {
      throw new EbbException.Unavailable(
          "the log of "
              + branch
              + " could not be opened within "
              + config.openTimeout().toMillis()
              + " ms: is Kafka reachable?",
          e);
    } catch (ExecutionException e) {
      throw explain(branch, known(e));
    } finally {
      if (!done) {
        verified.remove(branch);
        session.abandon("it was not opened in time");
      }
    }
  }

  private void verifyUnless(CompletableFuture<Lsn> opened, BranchId branch) {
    if (!opened.isDone()) {
      var _ = topics.verify(branch, TOPIC_TIMEOUT);
    }
  }

  /** Whoever opens a log expects it to be there: a branch that is dropped has no primary. */
  private EbbException explain(BranchId branch, EbbException error) {
    EbbException known = error;
    if (error instanceof EbbException.Unavailable) {
      try {
        var _ = topics.identity(branch, VERIFY_AFTER);
      } catch (EbbException.NotFound e) {
        known = e;
      } catch (EbbException e) {
        log.debug("nothing is known of the topic of {}", branch, e);
      }
    }
    return known instanceof EbbException.NotFound
        ? new EbbException.Corrupt("the log of " + branch + " is lost: " + known.getMessage())
        : known;
  }

  private static EbbException known(Throwable error) {
    for (Throwable e = error; e != null; e = e.getCause()) {
      if (e instanceof EbbException known) {
        return known;
      }
    }
    return new EbbException.Unavailable("opening the log failed: " + error, error);
  }

  WalMessage.DurableLsn stopReceiver(WalMessage.StopReceiver request) throws InterruptedException {
    return find(request.branch(), request.generation())
        .stop(Duration.ofMillis(Math.max(0, request.timeoutMs())));
  }

  WalMessage.DurableLsn awaitDurable(WalMessage.AwaitDurable request) throws InterruptedException {
    return find(request.branch(), request.generation())
        .awaitDurable(request.lsn(), Duration.ofMillis(Math.max(0, request.timeoutMs())));
  }

  private BranchLog find(BranchId branch, Generation generation) {
    BranchLog present = logs.get(branch);
    if (present != null) {
      refuseOlder(present, branch, generation);
      if (present.generation().equals(generation)) {
        return present;
      }
    }
    throw new EbbException.NotFound(
        "this WAL service does not hold the log of generation " + generation + " of " + branch);
  }

  private static void refuseOlder(BranchLog present, BranchId branch, Generation asked) {
    if (present.generation().compareTo(asked) > 0) {
      throw new EbbException.Fenced(
          "generation "
              + asked
              + " of "
              + branch
              + " is over: "
              + present.generation()
              + " has opened the log");
    }
  }

  void delete(WalMessage.DeleteLog request) throws InterruptedException {
    letGo(request.branch());
    topics.delete(request.branch(), TOPIC_TIMEOUT);
  }

  /** Ends what is held of a branch whose topic is deleted, here or elsewhere. */
  void letGo(BranchId branch) throws InterruptedException {
    Forking making = forking.get(branch);
    if (making != null) {
      making.delete();
    }
    ReentrantLock lock = lock(branch);
    lock.lockInterruptibly();
    try {
      BranchLog present = logs.remove(branch);
      if (present != null) {
        present.stop(Duration.ZERO);
      }
      histories.forget(branch);
      verified.remove(branch);
    } finally {
      lock.unlock();
    }
  }

  /** Drops what nobody asks for any more. */
  void sweep() {
    logs.values().removeIf(log -> log.isForgettable(FORGET_AFTER));
    histories.sweep();
  }

  /** Archives and trims what is held here, unless that goes on already. */
  void archive() {
    if (!archiving.tryLock()) {
      return;
    }
    try {
      archiver.retain(logs.keySet());
      logs.forEach((branch, held) -> {
        try {
          archiver.look(branch, held.durable());
        } catch (EbbException e) {
          // Nothing is lost: the topic has it still.
          log.warn("the log of branch {} is not archived for now: {}", branch, e.getMessage());
        }
      });
    } finally {
      archiving.unlock();
    }
  }

  /** Sees whether topics that commits wait for are still there. */
  void lookForTopics() {
    missing.look(logs);
  }

  /** Ends every receiver; what is in flight is left to itself. */
  void close() throws InterruptedException {
    for (BranchLog log : logs.values()) {
      log.stop(Duration.ZERO);
    }
    histories.close();
  }

  private ReentrantLock lock(BranchId branch) {
    return locks[Math.floorMod(branch.hashCode(), LOCKS)];
  }
}
