package dev.ebb.pageservice.cache;

import static org.assertj.core.api.Assertions.assertThat;

import com.hazelcast.core.HazelcastInstance;
import dev.ebb.pageservice.Await;
import dev.ebb.pageservice.FaultyStore;
import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.Members;
import dev.ebb.pageservice.Pages;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest.BlockFile;
import dev.ebb.shared.store.InMemoryObjectStore;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Page services of three members, over one store. */
final class ThreeMembersIT {
  private static final FileKey HEAP = Pages.heap(1000);
  private static final int BLOCKS = 512;
  private static final int RUN = 16;

  private final List<HazelcastInstance> members = Members.three("three-members-it");
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final FaultyStore store = new FaultyStore(new InMemoryObjectStore());
  private final List<Instance> instances = new ArrayList<>();
  private String manifest;

  @BeforeEach
  void commitSnapshot() {
    new BranchHeads(store).create(Instance.head(1, ""));
    try (var writer = new Instance(store)) {
      SnapshotId snapshot = writer.open(1, "");
      for (int block = 0; block < BLOCKS; block += RUN) {
        writer.put(snapshot, HEAP, block, pages(block));
      }
      manifest = writer.commit(snapshot, 1, new BlockFile(HEAP, 1, BLOCKS)).manifestKey();
    }
    for (HazelcastInstance member : members) {
      instances.add(
          new Instance(
              store,
              new HazelcastCache(member, threads, new Instance.Ticks(), 16, 5_000),
              1 << 20));
    }
    // What is not cached in chunks is read before anything is counted.
    instances.forEach(instance -> instance.reader.view(manifest));
  }

  @AfterEach
  void close() {
    instances.forEach(Instance::close);
    members.forEach(member -> member.getLifecycleService().terminate());
    threads.close();
  }

  private static byte[] pages(int block) {
    var pages = ByteBuffer.allocate(RUN * Pages.zero().length);
    for (int i = 0; i < RUN; i++) {
      pages.put(Pages.noise(block + i));
    }
    return pages.array();
  }

  private void assertRight(Instance instance, int block) {
    assertThat(instance.read(manifest, HEAP, block, RUN)).isEqualTo(pages(block));
  }

  @Test
  void tenReadersOfThreeInstancesMissingTheSameBlockCauseOneReadOfTheStore() throws Exception {
    instances.forEach(instance -> assertRight(instance, 0)); // indexes are there now
    for (int block : new int[] {256, 384, 480}) {
      var gate = new CountDownLatch(1);
      int before = store.ranges();
      store.holdRanges(gate);
      List<Callable<Void>> readers = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        Instance instance = instances.get(i % instances.size());
        readers.add(() -> {
          assertThat(instance.read(manifest, HEAP, block, 1)).isEqualTo(Pages.noise(block));
          return null;
        });
      }
      List<Future<Void>> results = readers.stream().map(threads::submit).toList();
      Await.until("a read of the store", () -> store.ranges() > before);
      gate.countDown();
      for (Future<Void> result : results) {
        result.get(30, TimeUnit.SECONDS);
      }

      assertThat(store.ranges() - before).isEqualTo(1);
    }
  }

  @Test
  void deathOfAMemberCostsHitsAndNothingElse() throws Exception {
    for (int block = 0; block < BLOCKS; block += RUN) {
      assertRight(instances.get(0), block);
    }
    int stop = 2;
    var reads =
        threads.submit(() -> {
          for (int round = 0; round < 5; round++) {
            for (int block = 0; block < BLOCKS; block += RUN) {
              assertRight(instances.get(1), block);
            }
          }
          return null;
        });
    members.get(stop).getLifecycleService().terminate();
    reads.get(60, TimeUnit.SECONDS);

    // Also of one that has nothing in its own memory, and of one without any cluster left.
    try (var fresh =
        new Instance(
            store,
            new HazelcastCache(members.get(0), threads, new Instance.Ticks(), 16, 5_000),
            1 << 20)) {
      int before = store.ranges();
      for (int block = 0; block < BLOCKS; block += RUN) {
        assertRight(fresh, block);
      }
      System.out.println(
          "ThreeMembersIT: reads of the store after a death: " + (store.ranges() - before));
    }
    for (int block = 0; block < BLOCKS; block += RUN) {
      assertRight(instances.get(stop), block);
    }
  }

  @Test
  void readerThatDiesWhileOthersWaitForItHoldsNobodyUp() throws Exception {
    instances.forEach(instance -> assertRight(instance, 0));
    // A claim that nobody will ever put an end to.
    var dead = new HazelcastCache(members.get(2), threads, new Instance.Ticks(), 16, 5_000);
    var spy = new RecordingClaims(dead);
    try (var claimant = new Instance(store, spy, 1 << 20)) {
      assertRight(claimant, 256);
    }
    var gate = new HazelcastCache(members.get(2), threads, new Instance.Ticks(), 16, 5_000);
    spy.keys().forEach(gate::remove);
    Await.until("the chunks are gone", () -> gate.get(spy.keys()).isEmpty());
    assertThat(gate.claim(spy.keys())).containsExactlyInAnyOrderElementsOf(spy.keys());
    members.get(2).getLifecycleService().terminate();

    long begin = System.nanoTime();
    assertRight(instances.get(0), 256);

    assertThat(TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begin)).isLessThan(10);
  }
}
