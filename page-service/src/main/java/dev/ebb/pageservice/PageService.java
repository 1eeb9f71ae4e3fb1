package dev.ebb.pageservice;

import com.hazelcast.core.HazelcastInstance;
import dev.ebb.pageservice.cache.ChunkCache;
import dev.ebb.pageservice.cache.HazelcastCache;
import dev.ebb.pageservice.cache.ObjectCache;
import dev.ebb.pageservice.cache.SharedCache;
import dev.ebb.pageservice.capture.CaptureLimits;
import dev.ebb.pageservice.capture.Captures;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.error.EbbException;
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

  private final ExecutorService threads;
  private final PageCodec codec;
  private final SnapshotReader reader;
  private final Captures captures;
  private final BranchObjects branchObjects;
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
    this.branchObjects = new BranchObjects(store, threads);
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
    return Future.all(consumers.stream().map(MessageConsumer::completion).toList());
  }

  @Override
  public Future<?> stop() {
    Future<?> silent = Future.join(consumers.stream().map(MessageConsumer::unregister).toList());
    return silent.transform(done -> onThread(this::release)).onComplete(done -> threads.shutdown());
  }

  private BusMessage release() {
    captures.abortAll();
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
        branchObjects.requireDropped(delete.branch());
        captures.abortAll(delete.branch());
        branchObjects.deleteAll(delete.branch());
        yield new Ok();
      }
      case PageMessage.ManifestBytes answer -> throw notUnderstood(answer);
      case PageMessage.Pages answer -> throw notUnderstood(answer);
      case PageMessage.BootPages answer -> throw notUnderstood(answer);
      case PageMessage.CaptureOpened answer -> throw notUnderstood(answer);
      case PageMessage.CaptureCommitted answer -> throw notUnderstood(answer);
    };
  }

  private static EbbException notUnderstood(BusMessage message) {
    return new EbbException.Invalid(
        "the page service does not answer " + message.getClass().getSimpleName());
  }
}
