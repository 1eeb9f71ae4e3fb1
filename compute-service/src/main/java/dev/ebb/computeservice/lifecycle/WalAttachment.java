package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.capture.Capturer;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.page.Manifest;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A generation's tie to the WAL service: its log, and the receiver that makes its commits durable.
 * Survives the death of a wal-service instance by opening the log again at another one.
 */
final class WalAttachment implements Capturer.Log {
  private static final Logger log = LoggerFactory.getLogger(WalAttachment.class);
  private static final long TIMEOUT_MS = 30_000;

  /** An instance that holds our log answers at once what it knows. One that does not, hangs. */
  private static final long ANSWER_TIMEOUT_MS = 2_000;

  private static final long ASK_AGAIN_MS = 200;

  /** So many are asked at the same time who serves: one of them may hang. */
  private static final int ASKED_AT_ONCE = 3;

  private static final long FIND_TIMEOUT_MS = 500;

  /** Longer than a cluster takes to expel a member that hangs. */
  private static final long FIND_FOR_MS = 20_000;

  private static final int READ_BYTES = 1 << 20;

  private final BlockingBus bus;
  private final BranchId branch;
  private final Generation generation;

  /** The newest snapshot that is committed: the log is opened, and read, from there. */
  private volatile Base base;

  private volatile String address = Addresses.WAL;
  private volatile @Nullable Target target;
  private volatile Lsn durable = Lsn.INVALID;
  private boolean lost;

  /** Where the primary listens, for the receiver to connect to. */
  record Target(
      String host,
      int port,
      String user,
      Secret password,
      Secret standbyName,
      long systemIdentifier) {}

  /** What of a snapshot says from where its log matters. A manifest is too large to be kept. */
  private record Base(
      Lsn redoLsn, Lsn endLsn, boolean clean, int walSegmentBytes, long walOffsetHint) {

    static Base of(Manifest snapshot, BranchId branch) {
      return new Base(
          // Of a clean stop: the checkpoint record, which the next one must name.
          snapshot.redoLsn(),
          snapshot.endLsn(),
          snapshot.clean(),
          snapshot.walSegmentBytes(),
          // Of a branch's first snapshot, which is another one's: its hint is of another log.
          snapshot.branch().equals(branch) ? snapshot.walOffsetHint() : -1);
    }
  }

  /**
   * Not attached yet.
   *
   * @param snapshot that the primary starts from
   */
  WalAttachment(BlockingBus bus, BranchId branch, Generation generation, Manifest snapshot) {
    this.bus = bus;
    this.branch = branch;
    this.generation = generation;
    this.base = Base.of(snapshot, branch);
  }

  /** Where WAL behind the snapshot begins: its end where it is clean, else its redo point. */
  Lsn replayFrom() {
    Base from = base;
    return from.clean() ? from.endLsn() : from.redoLsn();
  }

  /**
   * A newer snapshot of the running primary is committed. Should the log be opened again, then from
   * there: a WAL service that takes it over reads what came since, not all that the primary ever
   * wrote. The receiver's stream is another matter: it goes on where the log ends, and the slot on
   * the primary keeps its WAL from there on.
   */
  void snapshotCommitted(Manifest snapshot) {
    base = Base.of(snapshot, branch);
  }

  /** Makes the branch's topic; nothing where it is there already. */
  void make() {
    bus.call(Addresses.WAL, new WalMessage.CreateLog(branch), TIMEOUT_MS);
  }

  /**
   * Fences older generations and tells where this one begins.
   *
   * @param closed the head says that the log ends where the snapshot does
   */
  Lsn open(boolean closed) {
    Base from = base;
    var opened =
        bus.call(
            instance(),
            new WalMessage.OpenLog(
                branch,
                generation,
                from.redoLsn(),
                from.endLsn(),
                from.clean(),
                closed,
                from.walSegmentBytes(),
                from.walOffsetHint()),
            TIMEOUT_MS);
    address = opened.address();
    durable = Lsn.max(durable, opened.endLsn());
    return opened.endLsn();
  }

  /**
   * An instance that is there: messages to the common address take turns, and may go to one that
   * hangs or has just died. While all are silent they are asked again: a member that hangs is
   * expelled some time, and until then may keep the others' addresses from being found. Where that
   * does not help, or nobody can be asked, the common address: it takes the time that it takes.
   */
  private String instance() {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(FIND_FOR_MS);
    while (true) {
      List<Future<WalMessage.InstanceFound>> asked = new ArrayList<>();
      for (int i = 0; i < ASKED_AT_ONCE; i++) {
        asked.add(bus.bus().request(Addresses.WAL, new WalMessage.FindInstance(), FIND_TIMEOUT_MS));
      }
      long began = System.nanoTime();
      try {
        return BlockingBus.await(Future.any(asked).map(any -> first(asked)), 2 * FIND_TIMEOUT_MS);
      } catch (EbbException e) {
        long now = System.nanoTime();
        boolean refused = now - began < TimeUnit.MILLISECONDS.toNanos(FIND_TIMEOUT_MS) / 2;
        if (refused || now - deadline >= 0) {
          return Addresses.WAL;
        }
      }
    }
  }

  private static String first(List<Future<WalMessage.InstanceFound>> asked) {
    return asked.stream()
        .filter(Future::succeeded)
        .map(found -> found.result().address())
        .findFirst()
        .orElse(Addresses.WAL);
  }

  /** Hands every byte of the log from {@code from} up to {@code to} to {@code sink}, in order. */
  void read(Lsn from, Lsn to, Consumer<byte[]> sink) {
    Lsn at = from;
    while (at.isBefore(to)) {
      byte[] bytes = readSome(at, to);
      if (bytes.length == 0) {
        throw new EbbException.Corrupt(
            "the log of branch " + branch + " has nothing at " + at + ", expected WAL up to " + to);
      }
      sink.accept(bytes);
      at = at.plus(bytes.length);
    }
  }

  @Override
  public byte[] readSome(Lsn from, Lsn to) {
    return bus.call(address, new WalMessage.ReadWal(branch, from, to, READ_BYTES), TIMEOUT_MS)
        .bytes();
  }

  /** Starts the receiver. Until it runs, commits wait. */
  void attach(Target at, Lsn startLsn) {
    target = at;
    bus.call(
        address,
        new WalMessage.StartReceiver(
            branch,
            generation,
            startLsn,
            at.systemIdentifier(),
            at.host(),
            at.port(),
            at.user(),
            at.password(),
            at.standbyName()),
        TIMEOUT_MS);
  }

  /**
   * Asks for the durable LSN; where the instance that held the log is gone, opens it again at
   * another. {@code Fenced} where a newer generation took over, {@code Corrupt} where the primary's
   * WAL is not the log's: the primary must stop.
   */
  Lsn poll() {
    try {
      durable = Lsn.max(durable, askNow().lsn());
    } catch (EbbException.Fenced | EbbException.Corrupt e) {
      throw e;
    } catch (EbbException e) {
      Target at = target;
      if (at == null) {
        throw e;
      }
      if (!lost) {
        lost = true;
        log.warn(
            "branch {}: the WAL service lost our log ({}); opening it again",
            branch,
            e.getMessage());
      }
      attach(at, open(false));
      log.info("branch {}: the log is open again", branch);
    }
    lost = false;
    return durable;
  }

  /**
   * Asks again while there is no answer. A message to a member that has just died is neither
   * answered nor refused; one that is sent after the others have noticed is refused at once.
   */
  private WalMessage.DurableLsn askNow() {
    Promise<WalMessage.DurableLsn> first = Promise.promise();
    long left = ANSWER_TIMEOUT_MS;
    while (true) {
      bus.bus()
          .request(
              address,
              new WalMessage.AwaitDurable(branch, generation, Lsn.INVALID, ANSWER_TIMEOUT_MS),
              left)
          .onSuccess(first::tryComplete)
          .onFailure(first::tryFail);
      left -= ASK_AGAIN_MS;
      try {
        return BlockingBus.await(first.future(), ASK_AGAIN_MS);
      } catch (EbbException.Unavailable e) {
        if (first.future().succeeded()) {
          return first.future().result(); // it came just then
        }
        if (first.future().isComplete() || left <= 0) {
          throw e;
        }
      }
    }
  }

  /** The durable LSN when it was last asked for. */
  Lsn lastKnownDurable() {
    return durable;
  }

  /**
   * Waits until {@code lsn} is durable; with an invalid one tells at once how far the log is.
   *
   * @return the durable position with the offset of the topic's newest record
   */
  @Override
  public WalMessage.DurableLsn awaitDurable(Lsn lsn, long timeoutMs) {
    WalMessage.DurableLsn reached = ask(lsn, timeoutMs);
    durable = Lsn.max(durable, reached.lsn());
    return reached;
  }

  private WalMessage.DurableLsn ask(Lsn lsn, long timeoutMs) {
    return bus.call(
        address,
        new WalMessage.AwaitDurable(branch, generation, lsn, timeoutMs),
        timeoutMs + 1_000);
  }

  /** Ends the receiver after what it has is durable. */
  WalMessage.DurableLsn detach(long timeoutMs) {
    target = null;
    return bus.call(
        address, new WalMessage.StopReceiver(branch, generation, timeoutMs), timeoutMs + 1_000);
  }
}
