package dev.ebb.pageservice;

import com.hazelcast.core.HazelcastInstance;
import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.HazelcastCache;
import dev.ebb.pageservice.cache.ObjectCache;
import dev.ebb.pageservice.cache.SharedCache;
import dev.ebb.pageservice.capture.CaptureLimits;
import dev.ebb.pageservice.capture.Captures;
import dev.ebb.pageservice.check.Checks;
import dev.ebb.pageservice.gc.Collector;
import dev.ebb.pageservice.gc.Compactor;
import dev.ebb.pageservice.gc.GcLimits;
import dev.ebb.pageservice.gc.GcMeters;
import dev.ebb.pageservice.gc.Maintenance;
import dev.ebb.pageservice.index.IndexWalk;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.MessageConsumer;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * Answers {@link PageMessage} on {@link Addresses#PAGE}, and on an address of its own for the
 * captures that it holds. Every request runs on a virtual thread of its own.
 */
public final class PageService extends VerticleBase {
  private static final long IDLE_CHECK_MS = 30_000;

  private static final long LOG_TIMEOUT_MS = 30_000;

  /** Of one branch at a time; the rest follows with the next run. */
  private static final long MAX_COMPACTION_BYTES = 1L << 30;

  private final ExecutorService threads;
  private final PageCodec codec;
  private final SnapshotReader reader;
  private final Captures captures;
  private final Collector collector;
  private final Maintenance maintenance;
  private final Checks checks;
  private final long gcIntervalMs;
  private final Timer reads;
  private final String ownAddress = Addresses.PAGE + "." + HostId.random();
  private final List<MessageConsumer<?>> consumers = new ArrayList<>();

  /**
   * @param store stays the caller's to close
   * @param hazelcast where the second cache tier lives; null for none
   */
  public PageService(
      ObjectStore store,
      @Nullable HazelcastInstance hazelcast,
      PageServiceConfig config,
      MeterRegistry meters) {
    this.threads =
        Executors.newThreadPerTaskExecutor(Thread.ofVirtual().name("ebb-page-", 0).factory());
    this.codec = new PageCodec(config.compressionLevel());
    Clock clock = Clock.systemUTC();
    SharedCache shared =
        hazelcast == null || config.sharedCacheMebibytes() == 0
            ? SharedCache.NONE
            : new HazelcastCache(
                hazelcast,
                threads,
                clock,
                config.sharedCacheMebibytes(),
                config.sharedCacheTimeoutMs());
    var objects = new ObjectCache(config.objectCacheBytes());
    var chunks = new ChunkCache(store, shared, threads, config.chunkCacheBytes(), meters);
    this.reader = new SnapshotReader(store, objects, chunks, codec);
    var limits =
        new CaptureLimits(
            config.packBytes(),
            config.captureBufferBytes(),
            config.captureIdleMs(),
            config.gcGraceMs() / 2,
            config.pitrWindowMs());
    this.captures = new Captures(store, reader, codec, threads, limits, clock, meters);
    var gcMeters = new GcMeters(meters);
    var gcLimits =
        new GcLimits(
            config.gcGraceMs(), config.pitrWindowMs(), config.packBytes(), MAX_COMPACTION_BYTES);
    var walk = new IndexWalk(chunks);
    this.collector =
        new Collector(store, walk, threads, this::deleteLog, gcLimits, clock, gcMeters);
    var compactor = new Compactor(store, reader, walk, codec, gcLimits, clock, gcMeters);
    this.maintenance = new Maintenance(store, collector, compactor, gcMeters, ownAddress);
    this.checks = new Checks(store, reader, walk, codec, threads, clock, gcLimits);
    this.gcIntervalMs = config.gcIntervalMs();
    this.reads =
        Timer.builder("ebb.page.reads")
            .description("Time to answer a read of pages")
            .publishPercentiles(0.5, 0.99)
            .register(meters);
  }

  @Override
  public Future<?> start() {
    var bus = new Bus(vertx);
    consumers.add(bus.answer(Addresses.PAGE, this::answer));
    consumers.add(bus.answer(ownAddress, this::answer));
    vertx.setPeriodic(IDLE_CHECK_MS, id -> threads.execute(captures::abortIdle));
    if (gcIntervalMs > 0) {
      vertx.setPeriodic(
          gcIntervalMs, id -> threads.execute(() -> maintenance.runPeriodically(gcIntervalMs)));
    }
    return Future.all(consumers.stream().map(MessageConsumer::completion).toList());
  }

  @Override
  public Future<?> stop() {
    Future<?> silent = Future.join(consumers.stream().map(MessageConsumer::unregister).toList());
    return silent.transform(done -> onThread(this::release)).onComplete(done -> threads.shutdown());
  }

  private void deleteLog(BranchId branch) {
    new BlockingBus(new Bus(vertx))
        .call(Addresses.WAL, new WalMessage.DeleteLog(branch), LOG_TIMEOUT_MS);
  }

  private BusMessage release() {
    captures.abortAll();
    checks.closeAll();
    codec.close();
    return new Ok();
  }

  private Future<BusMessage> answer(BusMessage message) {
    return message instanceof PageMessage request
        ? onThread(() -> handle(request))
        : Future.failedFuture(notUnderstood(message));
  }

  /** What a request's thread runs. */
  private interface Work {
    BusMessage run();
  }

  private Future<BusMessage> onThread(Work work) {
    Promise<BusMessage> promise = Promise.promise();
    threads.execute(() -> {
      try {
        promise.complete(work.run());
      } catch (Throwable e) { // an Error, too, is an answer; nobody else would see it
        promise.fail(e);
      }
    });
    return promise.future();
  }

  private BusMessage handle(PageMessage request) {
    return switch (request) {
      case PageMessage.ReadPages read ->
          new PageMessage.Pages(
              reads.record(() ->
                  reader.read(
                      read.manifestKey(),
                      new FileId(read.file(), read.incarnation()),
                      read.firstBlock(),
                      read.count())));
      case PageMessage.ReadManifest read ->
          new PageMessage.ManifestBytes(reader.view(read.manifestKey()).encoded());
      case PageMessage.ReadBootPages read ->
          new PageMessage.BootPages(reader.bootPages(read.manifestKey()));
      case PageMessage.OpenCapture open ->
          new PageMessage.CaptureOpened(captures.open(open), ownAddress);
      case PageMessage.PutPages put -> {
        captures.put(put);
        yield new Ok();
      }
      case PageMessage.CommitCapture commit -> captures.commit(commit);
      case PageMessage.AbortCapture abort -> {
        captures.abort(abort.snapshot());
        yield new Ok();
      }
      case PageMessage.DeleteBranchObjects delete -> {
        captures.abortAll(delete.branch());
        collector.deleteDropped(delete.branch());
        yield new Ok();
      }
      case PageMessage.CollectGarbage collect -> {
        Maintenance.Report report = maintenance.run();
        yield new PageMessage.GarbageCollected(
            report.collected().deleted(),
            report.collected().deletedBytes(),
            report.collected().damaged(),
            report.compacted());
      }
      case PageMessage.OpenCheck open ->
          new PageMessage.CheckOpened(checks.open(open.branches()), ownAddress);
      case PageMessage.StepCheck step -> checks.step(step.check());
      case PageMessage.CloseCheck close -> {
        checks.close(close.check());
        yield new Ok();
      }
      case PageMessage.ManifestBytes answer -> throw notUnderstood(answer);
      case PageMessage.Pages answer -> throw notUnderstood(answer);
      case PageMessage.BootPages answer -> throw notUnderstood(answer);
      case PageMessage.CaptureOpened answer -> throw notUnderstood(answer);
      case PageMessage.CaptureCommitted answer -> throw notUnderstood(answer);
      case PageMessage.GarbageCollected answer -> throw notUnderstood(answer);
      case PageMessage.CheckOpened answer -> throw notUnderstood(answer);
      case PageMessage.CheckProgress answer -> throw notUnderstood(answer);
    };
  }

  private static EbbException notUnderstood(BusMessage message) {
    return new EbbException.Invalid(
        "the page service does not answer " + message.getClass().getSimpleName());
  }
}
