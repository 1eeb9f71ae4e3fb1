package dev.ebb.computeservice.lifecycle;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.page.Manifest;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A generation's tie to the WAL service: its log, and the receiver that makes its commits durable.
 * Survives the death of a wal-service instance by opening the log again at another one.
 */
final class WalAttachment {
  private static final Logger log = LoggerFactory.getLogger(WalAttachment.class);
  private static final long TIMEOUT_MS = 30_000;
  private static final long POLL_TIMEOUT_MS = 5_000;
  private static final int READ_BYTES = 1 << 20;

  private final BlockingBus bus;
  private final BranchId branch;
  private final Generation generation;
  private final Manifest base;
  private volatile String address = Addresses.WAL;
  private volatile @Nullable Target target;
  private volatile Lsn durable = Lsn.INVALID;

  /** Where the primary listens, for the receiver to connect to. */
  record Target(
      String host,
      int port,
      String user,
      Secret password,
      Secret standbyName,
      long systemIdentifier) {}

  WalAttachment(BlockingBus bus, BranchId branch, Generation generation, Manifest base) {
    this.bus = bus;
    this.branch = branch;
    this.generation = generation;
    this.base = base;
  }

  /** Where WAL behind the snapshot begins: its end where it is clean, else its redo point. */
  Lsn replayFrom() {
    return base.clean() ? base.endLsn() : base.redoLsn();
  }

  /**
   * Fences older generations and tells where this one begins.
   *
   * @param closed the head says that the log ends where the snapshot does
   */
  Lsn open(boolean closed) {
    var opened =
        bus.call(
            Addresses.WAL,
            new WalMessage.OpenLog(
                branch,
                generation,
                // Of a clean stop: the checkpoint record, which the next one must name.
                base.redoLsn(),
                base.endLsn(),
                closed,
                base.walSegmentBytes(),
                base.walOffsetHint()),
            TIMEOUT_MS);
    address = opened.address();
    durable = Lsn.max(durable, opened.endLsn());
    return opened.endLsn();
  }

  /** Hands every byte of the log from {@code from} up to {@code to} to {@code sink}, in order. */
  void read(Lsn from, Lsn to, Consumer<byte[]> sink) {
    Lsn at = from;
    while (at.isBefore(to)) {
      byte[] bytes =
          bus.call(address, new WalMessage.ReadWal(branch, at, to, READ_BYTES), TIMEOUT_MS).bytes();
      if (bytes.length == 0) {
        throw new EbbException.Corrupt(
            "the log of branch " + branch + " has nothing at " + at + ", expected WAL up to " + to);
      }
      sink.accept(bytes);
      at = at.plus(bytes.length);
    }
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
   * another. {@code Fenced} where a newer generation took over: the primary must stop.
   */
  Lsn poll() {
    try {
      awaitDurable(Lsn.INVALID, POLL_TIMEOUT_MS);
    } catch (EbbException.Fenced e) {
      throw e;
    } catch (EbbException e) {
      Target at = target;
      if (at == null) {
        throw e;
      }
      log.warn(
          "branch {}: the WAL service lost our log ({}); opening it again", branch, e.getMessage());
      attach(at, open(false));
    }
    return durable;
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
  WalMessage.DurableLsn awaitDurable(Lsn lsn, long timeoutMs) {
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
