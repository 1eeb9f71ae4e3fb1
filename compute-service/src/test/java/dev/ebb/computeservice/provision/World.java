package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.ComputeServiceConfig;
import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.lifecycle.PrimaryContext;
import dev.ebb.computeservice.lifecycle.PrimaryStarter;
import dev.ebb.computeservice.lifecycle.ReplicaStarter;
import dev.ebb.computeservice.lifecycle.Replicas;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import dev.ebb.shared.store.InMemoryObjectStore;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Function;

/** A database whose page and WAL services say what a test has them say. */
final class World implements AutoCloseable {
  static final DatabaseId SHOP = new DatabaseId("shop1");
  static final BranchId MAIN = new BranchId("main1");
  static final BranchAddress MAIN_ADDRESS = new BranchAddress("shop", "main");
  static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  static final Duration WINDOW = Duration.ofDays(7);

  /** Where the database and its owner had been made. */
  static final Lsn BEGINS = new Lsn(0x1100);

  static final long CREATED_MS = NOW.minus(Duration.ofHours(10)).toEpochMilli();

  final Vertx vertx = Vertx.vertx();
  final InMemoryObjectStore store = new InMemoryObjectStore();
  final Catalog catalog = new Catalog(store);
  final BranchHeads heads = new BranchHeads(store);
  final Map<String, Manifest> manifests = new ConcurrentHashMap<>();
  final Ticks clock = new Ticks();
  final FleetView fleet = new FleetView(clock);
  final BranchForks forks;
  final BranchProvisioner branches;
  final DatabaseProvisioner databases;
  final Leftovers leftovers;

  /** What the services were asked for, apart from manifests. */
  final List<BusMessage> asked = new CopyOnWriteArrayList<>();

  /** What a copy of WAL leads to. */
  volatile Function<WalMessage.ForkLog, WalMessage.LogForked> copying =
      request ->
          new WalMessage.LogForked(
              WalMessage.LogForked.Outcome.FORKED, request.floor(), request.floor(), 1);

  /** Comes before anything else is done about a request. */
  volatile Consumer<BusMessage> before = request -> {};

  /** Stands still unless told otherwise. */
  static final class Ticks extends Clock {
    private volatile Instant now = NOW;

    void advance(Duration by) {
      now = now.plus(by);
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }

    @Override
    public Instant instant() {
      return now;
    }
  }

  @SuppressWarnings("NullAway") // nothing is started here
  World() {
    var bus = new Bus(vertx);
    bus.answer(Addresses.PAGE, this::answer);
    bus.answer(Addresses.WAL, this::answer);
    var blocking = new BlockingBus(bus);
    var pages = new PageClient(blocking);
    var config = ComputeServiceConfig.of(Path.of("unused"), new Secret("0123456789abcdef"), 1_024);
    var context =
        new PrimaryContext(vertx, blocking, config, catalog, heads, pages, null, null, null);
    var host =
        new Host(
            new HostId("host1"), 1, heads, pages, new PrimaryStarter(context), catalog, () -> {});
    var placement = new Placement(fleet);
    var replicas =
        new Replicas(host, new ReplicaStarter(context, branch -> Lsn.INVALID), 1_000, () -> {});
    Provision made =
        Provision.of(
            blocking,
            store,
            pages,
            host,
            replicas,
            placement,
            major -> {
              throw new EbbException.Unavailable("no template");
            },
            WINDOW.toMillis(),
            clock);
    branches = made.branches();
    databases = made.databases();
    leftovers = made.leftovers();
    forks =
        new BranchForks(
            blocking,
            heads,
            pages,
            SnapshotHistory.unexpired(clock, WINDOW.toMillis()),
            branch -> Optional.empty(),
            new SystemIdentifiers(clock),
            clock);
    catalog.create(DatabaseRecord.creating(SHOP, "shop", "app", CREATED_MS, MAIN));
    catalog.markReady("shop", SHOP, BEGINS, CREATED_MS);
  }

  private Future<? extends BusMessage> answer(BusMessage message) {
    Promise<BusMessage> answered = Promise.promise();
    Thread.ofVirtual()
        .start(() -> {
          try {
            answered.complete(handle(message));
          } catch (RuntimeException e) {
            answered.fail(e);
          }
        });
    return answered.future();
  }

  private BusMessage handle(BusMessage message) {
    before.accept(message);
    if (message instanceof PageMessage.ReadManifest read) {
      Manifest manifest = manifests.get(read.manifestKey());
      if (manifest == null) {
        throw new EbbException.NotFound("there is no manifest " + read.manifestKey());
      }
      return new PageMessage.ManifestBytes(ManifestCodec.encode(manifest));
    }
    asked.add(message);
    return message instanceof WalMessage.ForkLog fork ? copying.apply(fork) : new Ok();
  }

  BranchRecord main() {
    return catalog.find("shop").orElseThrow().tree().require("main");
  }

  static String key(String snapshot) {
    return "branches/main1/manifests/" + snapshot;
  }

  /** A snapshot that was committed so long ago. */
  Manifest snapshot(String name, long endLsn, boolean clean, Duration ago, Manifest... history) {
    var manifest =
        new Manifest(
            new SnapshotId(name),
            MAIN,
            new Generation(1),
            180006,
            77,
            1 << 20,
            1,
            new Lsn(endLsn - 0x80),
            new Lsn(endLsn - 0x80),
            new Lsn(endLsn),
            clean,
            1,
            List.of(),
            List.of(),
            List.of(),
            List.of(),
            "",
            List.of(),
            List.of(),
            -1,
            clock.millis() - ago.toMillis(),
            java.util.Arrays.stream(history).map(World::ancestor).toList(),
            new byte[0]);
    manifests.put(key(name), manifest);
    return manifest;
  }

  private static Manifest.Ancestor ancestor(Manifest manifest) {
    return new Manifest.Ancestor(
        key(manifest.snapshot().value()),
        manifest.snapshot(),
        manifest.redoLsn(),
        manifest.endLsn(),
        manifest.committedEpochMs());
  }

  /** Main's head, with its log open. */
  void head(Manifest newest) {
    heads.create(
        new BranchHead(
            1,
            MAIN,
            SHOP,
            77,
            new Generation(1),
            key(newest.snapshot().value()),
            false,
            Lsn.INVALID,
            false));
  }

  /** Main goes on to another snapshot. */
  void commit(Manifest next) {
    heads.commitSnapshot(MAIN, new Generation(1), key(next.snapshot().value()), false, Lsn.INVALID);
  }

  @Override
  public void close() {
    vertx.close().toCompletionStage().toCompletableFuture().join();
  }
}
