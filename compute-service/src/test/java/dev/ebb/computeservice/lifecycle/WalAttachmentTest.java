package dev.ebb.computeservice.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
final class WalAttachmentTest {
  private static final BranchId BRANCH = new BranchId("b1");
  private static final Generation GENERATION = new Generation(7);
  private static final String HOLDER = "wal.holder";
  private static final Secret PASSWORD = new Secret("not to be told");
  private static final Lsn LOG_END = new Lsn(0x5000100);

  private final Vertx vertx = Vertx.vertx();
  private final Bus bus = new Bus(vertx);
  private final List<WalMessage> asked = new CopyOnWriteArrayList<>();
  private volatile boolean holderIsGone;

  /** Whether it says where it is, once it was silent so often. */
  private volatile boolean finds;

  private final AtomicInteger silentFor = new AtomicInteger();
  private volatile boolean openedAtHolder;

  @BeforeEach
  void startFakeWalService() throws Exception {
    await(bus.answer(Addresses.WAL, this::answer).completion());
    await(bus.answer(HOLDER, this::answerHere).completion());
  }

  private Future<? extends BusMessage> answer(BusMessage message) {
    asked.add((WalMessage) message);
    return switch ((WalMessage) message) {
      case WalMessage.FindInstance find when silentFor.getAndUpdate(n -> Math.max(0, n - 1)) > 0 ->
          Promise.<WalMessage.InstanceFound>promise().future();
      case WalMessage.FindInstance find when finds ->
          Future.succeededFuture(new WalMessage.InstanceFound(HOLDER));
      case WalMessage.OpenLog open -> {
        holderIsGone = false;
        yield Future.succeededFuture(new WalMessage.LogOpened(LOG_END, HOLDER));
      }
      case WalMessage.AwaitDurable durable when holderIsGone ->
          Future.failedFuture(new EbbException.NotFound("restarted: holds no log"));
      case WalMessage.AwaitDurable durable ->
          Future.succeededFuture(new WalMessage.DurableLsn(LOG_END, 44));
      case WalMessage.StartReceiver receiver -> Future.succeededFuture(new Ok());
      default -> Future.failedFuture(new IllegalStateException("not expected: " + message));
    };
  }

  private Future<? extends BusMessage> answerHere(BusMessage message) {
    if (message instanceof WalMessage.OpenLog) {
      openedAtHolder = true;
    }
    return answer(message);
  }

  @AfterEach
  void close() throws Exception {
    await(vertx.close());
  }

  private static void await(Future<?> future) throws Exception {
    future.toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  private static Manifest snapshot(
      String id, long redo, long end, boolean clean, long walOffsetHint) {
    return new Manifest(
        new SnapshotId(id),
        BRANCH,
        GENERATION,
        180006,
        1,
        4 << 20,
        1,
        new Lsn(redo),
        new Lsn(redo),
        new Lsn(end),
        clean,
        1,
        List.of(),
        List.of(),
        List.of(),
        List.of(),
        "",
        List.of(),
        List.of(),
        walOffsetHint,
        0,
        List.of(),
        new byte[0]);
  }

  private WalAttachment attached() {
    var wal =
        new WalAttachment(
            new BlockingBus(bus),
            BRANCH,
            GENERATION,
            snapshot("00000000000000000001", 0x1000028, 0x1000100, true, 3));
    wal.open(true);
    wal.attach(
        new WalAttachment.Target(
            "127.0.0.1", 5432, "ebb_admin", PASSWORD, new Secret("standby"), 1),
        LOG_END);
    return wal;
  }

  private WalMessage.OpenLog lastOpen() {
    return asked.stream()
        .filter(WalMessage.OpenLog.class::isInstance)
        .map(WalMessage.OpenLog.class::cast)
        .toList()
        .getLast();
  }

  @Test
  void logThatGotLostIsOpenedAgainFromTheNewestCommittedSnapshot() {
    WalAttachment wal = attached();
    wal.snapshotCommitted(snapshot("00000000000000000002", 0x3000028, 0x3000200, false, 20));
    wal.snapshotCommitted(snapshot("00000000000000000003", 0x4000028, 0x4000200, false, 31));
    holderIsGone = true;
    wal.poll();
    assertThat(lastOpen())
        .isEqualTo(
            new WalMessage.OpenLog(
                BRANCH,
                GENERATION,
                new Lsn(0x4000028),
                new Lsn(0x4000200),
                false,
                false,
                4 << 20,
                31));
    assertThat(asked.getLast())
        .as("the receiver goes on where the log ends, wherever it was read from")
        .isInstanceOfSatisfying(
            WalMessage.StartReceiver.class,
            receiver -> assertThat(receiver.startLsn()).isEqualTo(LOG_END));
  }

  /** One request to the common address may go to an instance that hangs, and wait for long. */
  @Test
  void instanceIsAskedForAgainWhileAllAreSilent() {
    WalAttachment wal = attached();
    assertThat(openedAtHolder).as("who does not say where it is").isFalse();
    finds = true;
    silentFor.set(7);
    holderIsGone = true;

    wal.poll();

    assertThat(openedAtHolder).isTrue();
    assertThat(lastOpen().closed()).isFalse();
  }

  @Test
  void logThatGotLostBeforeAnySnapshotIsOpenedAgainFromTheOneItStartedFrom() {
    WalAttachment wal = attached();
    holderIsGone = true;
    wal.poll();
    assertThat(lastOpen().redoLsn()).isEqualTo(new Lsn(0x1000028));
    assertThat(lastOpen().clean()).isTrue();
    assertThat(lastOpen().closed()).isFalse();
  }
}
