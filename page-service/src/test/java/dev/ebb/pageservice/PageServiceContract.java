package dev.ebb.pageservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.hazelcast.core.HazelcastInstance;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.Request;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchKeys;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.page.Manifest.BlockRun;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The service on the bus, over a real store. Prints what it measures. */
abstract class PageServiceContract {
  private static final FileKey HEAP = Pages.heap(1000);
  private static final int PAGES = 8_192;
  private static final int RUN = PageMessage.MAX_PAGES_PER_MESSAGE;

  private final Vertx vertx = Vertx.vertx();
  private final Bus bus = new Bus(vertx);
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private final ObjectStore store = openStore();

  abstract ObjectStore openStore();

  @Nullable HazelcastInstance hazelcast() {
    return null;
  }

  @BeforeEach
  void deploy() throws Exception {
    deployService();
    new BranchHeads(store).create(Instance.head(1, ""));
  }

  private String deployService() throws Exception {
    var service = new PageService(store, hazelcast(), PageServiceConfig.defaults(), meters);
    return vertx.deployVerticle(service).await(30, TimeUnit.SECONDS);
  }

  @AfterEach
  void close() throws Exception {
    vertx.close().await(30, TimeUnit.SECONDS);
    store.close();
  }

  private <R extends BusMessage> R ask(Request<R> request) throws Exception {
    return ask(Addresses.PAGE, request);
  }

  private <R extends BusMessage> R ask(String address, Request<R> request) throws Exception {
    return bus.request(address, request, 60_000).await(90, TimeUnit.SECONDS);
  }

  private PageMessage.CaptureOpened open() throws Exception {
    return ask(new PageMessage.OpenCapture(Instance.BRANCH, new Generation(1), ""));
  }

  private static byte[] run(int firstBlock, int count) {
    var bytes = new byte[count * FileKey.BLOCK_BYTES];
    for (int i = 0; i < count; i++) {
      byte[] page = Pages.page(1, HEAP, firstBlock + i);
      System.arraycopy(page, 0, bytes, i * FileKey.BLOCK_BYTES, page.length);
    }
    return bytes;
  }

  /** Captures PAGES pages, some requests at a time, as an agent does. */
  private String capture() throws Exception {
    List<byte[]> runs = new ArrayList<>();
    for (int block = 0; block < PAGES; block += RUN) {
      runs.add(run(block, RUN));
    }
    PageMessage.CaptureOpened opened = open();
    SnapshotId snapshot = opened.snapshot();
    long start = System.nanoTime();
    List<Future<Ok>> puts = new ArrayList<>();
    for (int i = 0; i < runs.size(); i++) {
      puts.add(
          bus.request(
              opened.address(),
              new PageMessage.PutPages(snapshot, HEAP, 1, i * RUN, i == 0, runs.get(i)),
              60_000));
      if (puts.size() == 4) {
        Future.all(puts).await(60, TimeUnit.SECONDS);
        puts.clear();
      }
    }
    byte[] manifest =
        Instance.manifest(
            snapshot, 1, List.of(new BlockRun(HEAP, 0, 300)), new BlockFile(HEAP, 1, PAGES));
    PageMessage.CaptureCommitted committed =
        ask(opened.address(), new PageMessage.CommitCapture(snapshot, manifest, true));
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf(
        "%s: captured %d pages in %.3f s: %.0f pages/s, %.0f MB/s of pages, %d bytes written%n",
        getClass().getSimpleName(),
        PAGES,
        seconds,
        PAGES / seconds,
        PAGES * 8192 / seconds / 1e6,
        committed.bytesWritten());
    return committed.manifestKey();
  }

  @Test
  void capturedPagesAreServedByThisInstanceAndByAFreshOne() throws Exception {
    String key = capture();
    assertThat(new BranchHeads(store).read(Instance.BRANCH).orElseThrow().head().manifestKey())
        .isEqualTo(key);
    wake(key, "after the capture");
    readAll(key, "first");
    readAll(key, "again");

    vertx.deploymentIDs().forEach(id -> vertx.undeploy(id));
    Await.until("the service has stopped", () -> vertx.deploymentIDs().isEmpty());
    deployService();
    wake(key, "cold");
    readAll(key, "cold");
    readAll(key, "warm");
    random(key);
  }

  private void wake(String key, String how) throws Exception {
    List<Long> micros = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      long start = System.nanoTime();
      var manifest = ask(new PageMessage.ReadManifest(key));
      var boot = ask(new PageMessage.ReadBootPages(key));
      micros.add((System.nanoTime() - start) / 1_000);
      assertThat(ManifestCodec.decode(manifest.encoded()).files()).hasSize(1);
      assertThat(boot.runs().getFirst().bytes()).hasSize(300 * FileKey.BLOCK_BYTES);
    }
    System.out.printf(
        "%s: manifest and 300 boot pages %s: first %d us, then %d us in the median%n",
        getClass().getSimpleName(),
        how,
        micros.getFirst(),
        micros.stream().sorted().toList().get(30));
  }

  private void readAll(String key, String how) throws Exception {
    long start = System.nanoTime();
    for (int block = 0; block < PAGES; block += RUN) {
      byte[] bytes = ask(new PageMessage.ReadPages(key, HEAP, 1, block, RUN)).bytes();
      assertThat(bytes.length).isEqualTo(RUN * FileKey.BLOCK_BYTES);
      assertThat(java.util.Arrays.equals(bytes, 0, 8192, Pages.page(1, HEAP, block), 0, 8192))
          .isTrue();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf(
        "%s: read %d pages by %d, %s: %.0f pages/s%n",
        getClass().getSimpleName(), PAGES, RUN, how, PAGES / seconds);
  }

  private void random(String key) throws Exception {
    var random = new Random(1);
    List<Long> micros = new ArrayList<>();
    for (int i = 0; i < 2_000; i++) {
      int block = random.nextInt(PAGES);
      long start = System.nanoTime();
      ask(new PageMessage.ReadPages(key, HEAP, 1, block, 1));
      micros.add((System.nanoTime() - start) / 1_000);
    }
    micros.sort(null);
    System.out.printf(
        "%s: single random pages from memory: %d us in the median, %d us p99%n",
        getClass().getSimpleName(), micros.get(1_000), micros.get(1_980));
  }

  @Test
  void droppedBranchIsDeletedWholeButNoLiveOne() throws Exception {
    PageMessage.CaptureOpened opened = open();
    ask(
        opened.address(),
        new PageMessage.PutPages(opened.snapshot(), HEAP, 1, 0, false, run(0, 2)));
    ask(
        opened.address(),
        new PageMessage.CommitCapture(
            opened.snapshot(),
            Instance.manifest(opened.snapshot(), 1, List.of(), new BlockFile(HEAP, 1, 2)),
            false));
    String prefix = BranchKeys.prefix(Instance.BRANCH);
    assertThat(store.list(prefix)).hasSize(3);

    assertThatThrownBy(() -> ask(new PageMessage.DeleteBranchObjects(Instance.BRANCH)))
        .isInstanceOf(EbbException.Conflict.class);
    assertThat(store.list(prefix)).hasSize(3);

    new BranchHeads(store).drop(Instance.BRANCH);
    ask(new PageMessage.DeleteBranchObjects(Instance.BRANCH));
    ask(new PageMessage.DeleteBranchObjects(Instance.BRANCH));
    assertThat(store.list(prefix)).as("the tombstone").hasSize(1);
  }

  @Test
  void wrongRequestsAreAnsweredWithTheirReason() throws Exception {
    assertThatThrownBy(() -> ask(new PageMessage.ReadManifest("branches/none/manifests/x")))
        .isInstanceOf(EbbException.NotFound.class);
    assertThatThrownBy(() -> ask(new PageMessage.ReadManifest("../../etc/passwd")))
        .isInstanceOf(EbbException.Invalid.class);
    assertThatThrownBy(() ->
            ask(new PageMessage.PutPages(SnapshotId.random(), HEAP, 1, 0, false, new byte[8192])))
        .isInstanceOf(EbbException.NotFound.class);
    ask(new PageMessage.AbortCapture(SnapshotId.random()));
  }

  @Test
  void captureThatIsGivenUpWhenTheServiceStopsLeavesNothing() throws Exception {
    PageMessage.CaptureOpened opened = open();
    ask(
        opened.address(),
        new PageMessage.PutPages(opened.snapshot(), HEAP, 1, 0, false, run(0, 64)));
    vertx.deploymentIDs().forEach(id -> vertx.undeploy(id));
    Await.until("the service has stopped", () -> vertx.deploymentIDs().isEmpty());

    assertThat(store.list(BranchKeys.prefix(Instance.BRANCH)))
        .extracting(ObjectStore.Listed::key)
        .containsExactly(BranchKeys.head(Instance.BRANCH));
  }
}
