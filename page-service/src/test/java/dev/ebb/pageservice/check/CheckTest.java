package dev.ebb.pageservice.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.ebb.pageservice.Instance;
import dev.ebb.pageservice.gc.World;
import dev.ebb.shared.archive.ArchiveKey;
import dev.ebb.shared.bus.PageMessage.CheckProgress;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Finding;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Kind;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

final class CheckTest {
  private static final String LOST = "branches/main1/packs/lost-0";

  private record Result(List<Finding> findings, CheckProgress last) {
    List<Finding> damage() {
      return findings.stream().filter(f -> f.kind() != Kind.ORPHAN).toList();
    }
  }

  private static Result check(World world, BranchId... branches) {
    return check(world.instance, branches);
  }

  private static Result check(Instance instance, BranchId... branches) {
    String check = instance.checks.open(List.of(branches));
    List<Finding> findings = new ArrayList<>();
    while (true) {
      CheckProgress progress = instance.checks.step(check);
      findings.addAll(progress.findings());
      if (progress.finished()) {
        instance.checks.close(check);
        return new Result(findings, progress);
      }
    }
  }

  /** With nodes of the index in the store, as a compaction leaves them, and something lost. */
  private static World world() {
    World world = World.grown(21);
    world.clock.advanceMs(TimeUnit.DAYS.toMillis(8));
    world.instance.maintenance.run();
    world.commitSome(World.MAIN, 2);
    assertThat(world.objects.list("branches/main1/index/")).isNotEmpty();
    world.clocked.put(LOST, new byte[] {1});
    world.clock.advanceMs(TimeUnit.HOURS.toMillis(2));
    return world;
  }

  @Test
  void soundStoreHasNoDamageAndItsOrphansAreListed() {
    try (World world = world()) {
      Result result = check(world);

      assertThat(result.damage()).isEmpty();
      assertThat(result.findings()).extracting(Finding::object).contains(LOST);
      assertThat(result.last().pages()).isPositive();
      assertThat(result.last().bytesDone()).isPositive();
      assertThat(result.last().bytesTotal()).isGreaterThanOrEqualTo(result.last().bytesDone());
    }
  }

  @Test
  void archivedWalIsReadAndItsDamageAndGapsAreTold() {
    try (World world = world()) {
      world.archive(World.MAIN, 2_000);
      world.clock.advanceMs(TimeUnit.HOURS.toMillis(2));
      assertThat(check(world).damage()).isEmpty();
      assertThat(check(world).findings())
          .extracting(Finding::object)
          .contains(LOST)
          .noneMatch(object -> object.contains("/wal/"));

      List<String> keys =
          world.objects.list(ArchiveKey.prefix(World.MAIN)).stream()
              .map(ObjectStore.Listed::key)
              .toList();
      byte[] content = world.objects.get(keys.getLast()).orElseThrow().content();
      content[content.length - 1] ^= 1;
      world.objects.put(keys.getLast(), content);
      world.objects.put(keys.getFirst(), world.objects.get(keys.get(1)).orElseThrow().content());
      world.objects.delete(keys.get(keys.size() - 2));

      assertThat(check(world, World.MAIN).damage())
          .extracting(Finding::kind, Finding::object)
          .containsExactlyInAnyOrder(
              tuple(Kind.DAMAGED, keys.getFirst()),
              tuple(Kind.DAMAGED, keys.getLast()),
              tuple(Kind.MISSING, "branches/main1/wal/topic-1."));
    }
  }

  /** Two archivers' objects overlap; the older one goes first, with the records of both. */
  @Test
  void whatRemainsOfArchivedWalThatNoSnapshotNeedsLeavesNoGap() {
    try (var world = new World(23)) {
      world.commitSome(World.MAIN, 10);
      world.archive(World.MAIN, 10 * World.RECORDS_OF_A_COMMIT);
      world.clock.advanceMs(TimeUnit.DAYS.toMillis(8));
      world.commitSome(World.MAIN, 10);
      List<String> keys =
          world.objects.list(ArchiveKey.prefix(World.MAIN)).stream()
              .map(ObjectStore.Listed::key)
              .toList();
      world.objects.delete(keys.get(1));
      assertThat(check(world, World.MAIN).damage()).as("between two that expired").isEmpty();

      world.archive(World.MAIN, 40 * World.RECORDS_OF_A_COMMIT);
      world.objects.delete(keys.get(1));
      assertThat(check(world, World.MAIN).damage()).isEmpty();

      String needed = world.objects.list(ArchiveKey.prefix(World.MAIN)).get(30).key();
      world.objects.delete(needed);
      assertThat(check(world, World.MAIN).damage())
          .extracting(Finding::kind, Finding::problem)
          .containsExactly(
              tuple(
                  Kind.MISSING,
                  "records %d to %d of the log are not there"
                      .formatted(
                          ArchiveKey.parse(needed).orElseThrow().from(),
                          ArchiveKey.parse(needed).orElseThrow().to() - 1)));
    }
  }

  @Test
  void youngObjectsAreNoOrphans() {
    try (World world = world()) {
      world.clocked.put("branches/main1/packs/young-0", new byte[] {1});

      assertThat(check(world).findings())
          .extracting(Finding::object)
          .doesNotContain("branches/main1/packs/young-0");
    }
  }

  /** The age of an object is the store's to tell. */
  @Test
  void youngObjectsAreNoOrphansWhateverTheLocalClockSays() {
    try (World world = world();
        var ahead = new Instance(world.clocked, new Instance.Ticks())) {
      ahead.clock.advanceMs(world.clock.millis() + TimeUnit.DAYS.toMillis(1));
      world.clocked.put("branches/main1/packs/young-0", new byte[] {1});

      assertThat(check(ahead).findings())
          .extracting(Finding::object)
          .doesNotContain("branches/main1/packs/young-0");
    }
  }

  @Test
  void inheritedHistoryThatTheParentGaveUpIsNoDamage() {
    try (var world = new World(22)) {
      world.commitSome(World.MAIN, 30);
      world.branch(World.DEV, World.MAIN);
      String first =
          world
              .instance
              .reader
              .view(world.head(World.DEV).manifestKey())
              .manifest()
              .history()
              .getFirst()
              .manifestKey();
      world.objects.delete(first);

      assertThat(check(world).damage()).extracting(Finding::object).containsExactly(first);
      world.heads.drop(World.MAIN);
      assertThat(check(world).damage()).isEmpty();
    }
  }

  @Test
  void oneDatabaseIsCheckedByItself() {
    try (World world = world()) {
      Result result = check(world, World.MAIN, World.DEV);

      assertThat(result.damage()).isEmpty();
      assertThat(result.last().pages()).isPositive();
    }
  }

  @Test
  void flippedBitOfAnyReachableObjectIsFound() {
    try (World world = world()) {
      List<String> orphans = check(world).findings().stream().map(Finding::object).toList();
      for (ObjectStore.Listed object : world.objects.list("branches/")) {
        if (orphans.contains(object.key()) || object.key().endsWith("/head")) {
          continue;
        }
        byte[] good = world.objects.get(object.key()).orElseThrow().content();
        for (int at : new int[] {0, 7, good.length / 3, good.length / 2, good.length - 1}) {
          byte[] damaged = good.clone();
          damaged[at] ^= 0x20;
          world.objects.put(object.key(), damaged);
          boolean unusedByte = object.key().contains("/index/") && at < 5;
          if (!unusedByte) {
            assertThat(check(world).damage())
                .as("byte %d of %s", at, object.key())
                .extracting(Finding::object)
                .contains(object.key());
          }
        }
        world.objects.put(object.key(), good);
      }
      assertThat(check(world).damage()).isEmpty();
    }
  }

  @Test
  void missingObjectsAreFound() {
    try (World world = world()) {
      List<String> orphans = check(world).findings().stream().map(Finding::object).toList();
      for (ObjectStore.Listed object : world.objects.list("branches/")) {
        if (orphans.contains(object.key())) {
          continue;
        }
        byte[] good = world.objects.get(object.key()).orElseThrow().content();
        world.objects.delete(object.key());
        assertThat(check(world).findings())
            .as(object.key())
            .anyMatch(f -> f.kind() == Kind.MISSING && f.object().equals(object.key()));
        world.objects.put(object.key(), good);
      }
    }
  }

  @Test
  void damagedHeadIsFound() {
    try (World world = world()) {
      world.objects.put("branches/dev1/head", new byte[] {'{'});

      Result result = check(world);

      assertThat(result.damage()).extracting(Finding::object).contains("branches/dev1/head");
      // what it refers to is no waste
      assertThat(result.findings())
          .filteredOn(finding -> finding.kind() == Kind.ORPHAN)
          .isNotEmpty()
          .noneMatch(finding -> finding.problem().contains("is going to be collected"));
    }
  }

  /** A check takes hours where there is much: branches move on, and collection goes by. */
  @Test
  void whatIsCollectedWhileTheCheckGoesOnIsNoDamage() {
    try (World world = world()) {
      var moved = new AtomicBoolean();
      world.clocked.beforeRead(key -> {
        if (key.equals("branches/main1/head") && moved.compareAndSet(false, true)) {
          // the other branch's packs are known by now, and not yet read
          for (int week = 0; week < 3; week++) {
            world.commitSome(World.DEV, 30);
            world.clock.advanceMs(TimeUnit.DAYS.toMillis(8));
            world.instance.maintenance.run();
          }
        }
      });

      Result result = check(world);

      assertThat(moved).isTrue();
      assertThat(result.damage()).isEmpty();
    }
  }

  /** Tools leave empty objects for directories. */
  @Test
  void whatIsOfNobodyIsListedAndFailsNothing() {
    try (World world = world()) {
      for (String key : List.of("branches/README", "branches/Backup-1/head")) {
        world.clocked.put(key, new byte[0]);
      }
      world.clock.advanceMs(TimeUnit.HOURS.toMillis(2));

      Result result = check(world);

      assertThat(result.damage()).isEmpty();
      assertThat(result.findings())
          .extracting(Finding::object)
          .contains(LOST, "branches/README", "branches/Backup-1/head");
    }
  }

  @Test
  void damagedPointerToATemplateIsFoundAndTheCheckGoesOn() {
    try (World world = world()) {
      world.objects.put("templates/postgresql-18.6/current", new byte[] {0, '{'});

      Result result = check(world);

      assertThat(result.damage())
          .extracting(Finding::object)
          .containsExactly("templates/postgresql-18.6/current");
      assertThat(result.last().pages()).isPositive();
    }
  }
}
