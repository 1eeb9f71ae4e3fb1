package dev.ebb.walservice;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.walservice.archive.Archiver;
import dev.ebb.walservice.feedback.FeedbackBoard;
import dev.ebb.walservice.feedback.FeedbackReports;
import dev.ebb.walservice.history.Histories;
import dev.ebb.walservice.history.KnownRecords;
import dev.ebb.walservice.receive.Receiver;
import dev.ebb.walservice.receive.Sighting;
import dev.ebb.walservice.send.CatalogBranches;
import dev.ebb.walservice.send.SenderStatus;
import dev.ebb.walservice.send.ServedBranch;
import dev.ebb.walservice.send.WalSender;
import dev.ebb.walservice.send.WalSenderConfig;
import dev.ebb.walservice.session.WalMetrics;
import dev.ebb.walservice.topic.ArchivedTopics;
import dev.ebb.walservice.topic.KafkaTopics;
import dev.ebb.walservice.topic.LogTopics;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.MessageConsumer;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The WAL service: answers {@code WalMessage}s. Any instance opens a log; the one that did holds it
 * and is reached for it at its own address. Each request runs on a virtual thread.
 */
public final class WalService extends VerticleBase {
  private static final Logger log = LoggerFactory.getLogger(WalService.class);

  /** More requests at once are refused: their callers would time out. */
  private static final int MAX_REQUESTS = 1024;

  private static final long SWEEP_MS = 15_000;
  private static final Duration CHECK_TIMEOUT = Duration.ofSeconds(10);

  /** How often logs are looked at, or as often as their age asks for. */
  private static final long ARCHIVE_MS = 5_000;

  /** How often topics are looked for that commits wait for. */
  private static final long LOOK_MS = 2_000;

  /** How often it is seen whether standbys need something else than was said. */
  private static final long FEEDBACK_MS = 1_000;

  /** Where logs, primaries and branches are found. */
  record Outside(
      Supplier<LogTopics> topics, Receiver.Connector connector, ServedBranch.Directory branches) {}

  private final ObjectStore store;
  private final WalServiceConfig config;
  private final Outside outside;
  private final MeterRegistry meters;
  private final String address = Addresses.WAL + "." + HostId.random();
  private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
  private final Semaphore requests = new Semaphore(MAX_REQUESTS);
  private final List<MessageConsumer<BusMessage>> consumers = new ArrayList<>();
  private final FleetView fleet = new FleetView(Clock.systemUTC());
  private final FeedbackBoard feedback = new FeedbackBoard();
  private @Nullable LogTopics topics;
  private @Nullable Logs logs;
  private volatile @Nullable WalSender sender;
  private long sweeps = -1;
  private long archiving = -1;
  private long looking = -1;
  private long reporting = -1;

  /**
   * Does nothing yet.
   *
   * @param store where the catalog is, which names the branches, the archive, and what tells how
   *     much of a topic is needed
   */
  public WalService(ObjectStore store, WalServiceConfig config, MeterRegistry meters) {
    this(
        store,
        config,
        new Outside(
            () -> new KafkaTopics(config.kafka(), config.local()),
            Receiver.Connector.real(config.primaryTimeout()),
            new CatalogBranches(store)),
        meters);
  }

  WalService(ObjectStore store, WalServiceConfig config, Outside outside, MeterRegistry meters) {
    this.store = store;
    this.config = config;
    this.outside = outside;
    this.meters = meters;
  }

  @Override
  public Future<?> start() {
    return run(
            () -> {
              LogTopics opened = new ArchivedTopics(outside.topics().get(), store);
              topics = opened;
              requireSafe(opened);
              var metrics = new WalMetrics(meters);
              var known = new KnownRecords(store);
              var histories =
                  new Histories(opened, known, config.spoolDirectory(), Clock.systemUTC());
              logs =
                  new Logs(
                      opened,
                      histories,
                      known,
                      config,
                      outside.connector(),
                      hearsay(),
                      metrics,
                      new Archiver(opened, store, config.archive(), metrics),
                      executor);
              startSender(opened);
              return new Ok();
            })
        .onSuccess(ok -> {
          var bus = new Bus(vertx);
          consumers.add(bus.answer(Addresses.WAL, this::answer));
          consumers.add(bus.answer(address, this::answer));
          consumers.add(bus.subscribe(Addresses.HOSTS, this::heard));
          consumers.add(bus.subscribe(Addresses.WAL_DELETIONS, this::heard));
          consumers.add(bus.subscribe(Addresses.WAL_FEEDBACK, this::heard));
          sweeps = vertx.setPeriodic(SWEEP_MS, id -> executor.execute(() -> logs().sweep()));
          long look = Math.clamp(config.archive().age().toMillis(), 100, ARCHIVE_MS);
          archiving = vertx.setPeriodic(look, id -> executor.execute(() -> logs().archive()));
          looking =
              vertx.setPeriodic(LOOK_MS, id -> executor.execute(() -> logs().lookForTopics()));
          WalSenderConfig listening = config.sender();
          var reports =
              listening == null ? null : new FeedbackReports(address, listening.timeout());
          reporting = vertx.setPeriodic(FEEDBACK_MS, id -> relay(bus, reports));
        });
  }

  private void startSender(LogTopics opened) {
    WalSenderConfig listening = config.sender();
    if (listening != null) {
      sender =
          new WalSender(
              listening,
              outside.branches(),
              WalSender.fromTopics(opened, logs(), config.spoolDirectory()),
              meters);
    }
  }

  private BranchLog.Hearsay hearsay() {
    return new BranchLog.Hearsay() {
      @Override
      public Sighting of(BranchId branch, Generation generation) {
        return Sighting.of(fleet, branch, generation);
      }

      @Override
      public long oldestTransaction(BranchId branch) {
        return feedback.oldest(branch, System.nanoTime());
      }
    };
  }

  /** Says what standbys here need to whoever receives from their primaries, be it this instance. */
  private void relay(Bus bus, @Nullable FeedbackReports reports) {
    long now = System.nanoTime();
    feedback.sweep(now);
    if (reports != null) {
      reports.due(senders(), now).forEach(message -> bus.publish(Addresses.WAL_FEEDBACK, message));
    }
  }

  /** The port of the WAL sender; 0 where there is none. */
  public int senderPort() {
    WalSender present = sender;
    return present == null ? 0 : present.port();
  }

  /** The standbys that WAL is streamed to. */
  public List<SenderStatus> senders() {
    WalSender present = sender;
    return present == null ? List.of() : present.senders();
  }

  private void letGo(BranchId branch) throws InterruptedException {
    WalSender present = sender;
    if (present != null) {
      present.drop(branch);
    }
    logs().letGo(branch);
  }

  /** Where Kafka is away it is looked at again before the first log is opened. */
  private static void requireSafe(LogTopics topics) {
    try {
      topics.requireSafe(CHECK_TIMEOUT);
    } catch (EbbException.Unavailable e) {
      log.warn("Kafka's settings could not be checked yet: {}", e.getMessage());
    }
  }

  @Override
  public Future<?> stop() {
    vertx.cancelTimer(sweeps);
    vertx.cancelTimer(archiving);
    vertx.cancelTimer(looking);
    vertx.cancelTimer(reporting);
    return Future.join(consumers.stream().map(MessageConsumer::unregister).toList())
        .eventually(() ->
            run(() -> {
              WalSender present = sender;
              if (present != null) {
                present.close();
              }
              if (logs != null) {
                logs.close();
              }
              if (topics != null) {
                topics.close();
              }
              return new Ok();
            }))
        .onComplete(done -> executor.shutdownNow());
  }

  private void heard(BusMessage message) {
    switch (message) {
      case ComputeMessage.HostAnnouncement announcement -> fleet.accept(announcement);
      case WalMessage.LogDeleted deleted ->
          run(
                  () -> {
                    letGo(deleted.branch());
                    return new Ok();
                  })
              .onFailure(e -> log.warn("the log of {} is still held", deleted.branch(), e));
      case WalMessage.StandbyFeedback said -> feedback.accept(said, System.nanoTime());
      default -> log.debug("not for the WAL service: {}", message.getClass());
    }
  }

  private Logs logs() {
    if (logs == null) {
      throw new EbbException.Unavailable("the WAL service is not started");
    }
    return logs;
  }

  private Future<? extends BusMessage> answer(BusMessage message) {
    if (!(message instanceof WalMessage request)) {
      throw new EbbException.Invalid("not for the WAL service: " + message.getClass());
    }
    if (!requests.tryAcquire()) {
      throw new EbbException.Exhausted("the WAL service has too many requests at once");
    }
    return run(() -> handle(request)).onComplete(done -> requests.release());
  }

  private BusMessage handle(WalMessage message) throws InterruptedException {
    Logs held = logs();
    return switch (message) {
      case WalMessage.FindInstance request -> new WalMessage.InstanceFound(address);
      case WalMessage.CreateLog request -> {
        held.create(request);
        yield new Ok();
      }
      case WalMessage.ForkLog request -> held.fork(request);
      case WalMessage.OpenLog request -> new WalMessage.LogOpened(held.open(request), address);
      case WalMessage.ReadWal request ->
          new WalMessage.WalBytes(request.from(), held.read(request));
      case WalMessage.StartReceiver request -> {
        held.startReceiver(request);
        yield new Ok();
      }
      case WalMessage.StopReceiver request -> held.stopReceiver(request);
      case WalMessage.AwaitDurable request -> held.awaitDurable(request);
      case WalMessage.DeleteLog request -> {
        // Another instance may hold it.
        new Bus(vertx)
            .publish(Addresses.WAL_DELETIONS, new WalMessage.LogDeleted(request.branch()));
        letGo(request.branch());
        held.delete(request);
        yield new Ok();
      }
      case WalMessage.InstanceFound answer -> throw notARequest(answer);
      case WalMessage.FindSender request -> findSender();
      case WalMessage.LogForked answer -> throw notARequest(answer);
      case WalMessage.LogOpened answer -> throw notARequest(answer);
      case WalMessage.WalBytes answer -> throw notARequest(answer);
      case WalMessage.DurableLsn answer -> throw notARequest(answer);
      case WalMessage.LogDeleted news -> throw notARequest(news);
      case WalMessage.SenderFound answer -> throw notARequest(answer);
      case WalMessage.StandbyFeedback news -> throw notARequest(news);
    };
  }

  private WalMessage.SenderFound findSender() {
    WalSender present = sender;
    if (present == null) {
      throw new EbbException.Unavailable(
          "replicas get their WAL from the WAL sender, which is off: set wal.sender.enabled");
    }
    return new WalMessage.SenderFound(present.host(), present.port());
  }

  private static EbbException.Invalid notARequest(WalMessage message) {
    return new EbbException.Invalid(message.getClass().getSimpleName() + " is not a request");
  }

  private <T> Future<T> run(Callable<T> action) {
    Promise<T> promise = Promise.promise();
    executor.execute(() -> {
      try {
        promise.complete(action.call());
      } catch (InterruptedException e) {
        promise.fail(new EbbException.Unavailable("the WAL service is stopping", e));
      } catch (Exception e) {
        promise.fail(e);
      }
    });
    return promise.future();
  }
}
