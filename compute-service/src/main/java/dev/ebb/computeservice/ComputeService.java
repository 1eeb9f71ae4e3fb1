package dev.ebb.computeservice;

import dev.ebb.computeservice.blockmap.ArenaDirectory;
import dev.ebb.computeservice.blockmap.NativeFiles;
import dev.ebb.computeservice.capture.CaptureMeters;
import dev.ebb.computeservice.lifecycle.AdminPasswords;
import dev.ebb.computeservice.lifecycle.Host;
import dev.ebb.computeservice.lifecycle.PostgresInstances;
import dev.ebb.computeservice.lifecycle.PrimaryContext;
import dev.ebb.computeservice.lifecycle.PrimaryStarter;
import dev.ebb.computeservice.lifecycle.ReplicaStarter;
import dev.ebb.computeservice.lifecycle.Replicas;
import dev.ebb.computeservice.localcache.LocalCache;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.placement.Introduction;
import dev.ebb.computeservice.placement.Placement;
import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.PostgresReleases;
import dev.ebb.computeservice.postgres.SupervisedLauncher;
import dev.ebb.computeservice.provision.Leftovers;
import dev.ebb.computeservice.provision.Provision;
import dev.ebb.computeservice.provision.TemplateProvisioner;
import dev.ebb.computeservice.replicas.ReplicaKeeper;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Clock;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A host: runs computes and makes databases. Answers {@link ComputeMessage} requests and announces
 * itself on {@link Addresses#HOSTS}.
 *
 * <p>A verticle for its life cycle only: all the work blocks, on virtual threads of its own.
 */
public final class ComputeService extends VerticleBase {
  private static final Logger log = LoggerFactory.getLogger(ComputeService.class);
  private static final long ANNOUNCE_EVERY_MS = 1_000;
  private static final long CLEAR_EVERY_MS = 300_000;

  /** How soon it is noticed that a replica is gone. */
  private static final long KEEP_EVERY_MS = 200;

  /** A compute whose host has stopped to answer for it ends itself after so long. */
  private static final int LEASE_SECONDS = 20;

  private final ObjectStore store;
  private final ComputeServiceConfig config;
  private final MeterRegistry meters;
  private final ExecutorService tasks = Executors.newVirtualThreadPerTaskExecutor();
  private @Nullable Host host;
  private volatile @Nullable Replicas replicas;
  private @Nullable Bus bus;
  private volatile @Nullable ArenaDirectory arenas;
  private volatile @Nullable LocalCache cache;
  private long timer = -1;
  private long clearing = -1;
  private long keeping = -1;

  /** What is announced later was looked at later. */
  private final ReentrantLock announcing = new ReentrantLock();

  /**
   * Makes the service.
   *
   * @param store holds the catalog and the branch heads
   * @param config how computes are run
   * @param meters takes the metrics
   */
  public ComputeService(ObjectStore store, ComputeServiceConfig config, MeterRegistry meters) {
    this.store = store;
    this.config = config;
    this.meters = meters;
  }

  @Override
  public Future<?> start() {
    return onTask(this::startBlocking);
  }

  private Future<Void> onTask(Runnable task) {
    io.vertx.core.Promise<Void> done = io.vertx.core.Promise.promise();
    var context = vertx.getOrCreateContext();
    tasks.execute(() -> {
      try {
        task.run();
        context.runOnContext(v -> done.complete());
      } catch (Throwable e) {
        context.runOnContext(v -> done.fail(e));
      }
    });
    return done.future();
  }

  private void startBlocking() {
    try {
      startParts();
    } catch (RuntimeException e) {
      closeCache();
      closeArenas();
      throw e;
    }
  }

  private void startParts() {
    var newBus = new Bus(vertx);
    bus = newBus;
    var blocking = new BlockingBus(newBus);
    OsUser user = OsUser.choose(config.osUser());
    CacheDirectory.prepare(config, user);
    ArenaDirectory newArenas = CacheDirectory.openArenas(config);
    arenas = newArenas;
    var releases =
        new PostgresReleases(
            config.cacheDir().resolve("postgres"),
            user,
            binaries -> CacheDirectory.requireKnownSymbols(binaries.bin("postgres")));
    NativeFiles natives = CacheDirectory.unpackNatives(config, user);
    var pages = new PageClient(blocking);
    var catalog = new Catalog(store);
    var heads = new BranchHeads(store);
    // For initdb and the template, which start on complete directories.
    var plain = new SupervisedLauncher(natives.supervisor(), null, LEASE_SECONDS, 0);
    var shimmed =
        new SupervisedLauncher(natives.supervisor(), natives.pageShim(), LEASE_SECONDS, 0);
    LocalCache newCache = openCache();
    cache = newCache;
    var instances =
        new PostgresInstances(config, newArenas.path(), newCache, pages, releases, user, shimmed);
    var context =
        new PrimaryContext(
            vertx,
            blocking,
            config,
            catalog,
            heads,
            pages,
            new AdminPasswords(config.clusterSecret()),
            instances,
            new CaptureMeters(meters));
    var fleet = new FleetView(Clock.systemUTC());
    var newHost =
        new Host(
            HostId.random(),
            config.capacity(),
            heads,
            pages,
            new PrimaryStarter(context),
            catalog,
            this::announce);
    host = newHost;
    var newReplicas =
        new Replicas(
            newHost,
            new ReplicaStarter(context, branch -> durableEnd(fleet, branch)),
            config.stopTimeoutMs(),
            this::announce);
    replicas = newReplicas;
    var keeper = new ReplicaKeeper(newHost.id(), fleet, blocking, catalog, tasks, System::nanoTime);
    var placement = new Placement(fleet);
    var template =
        new TemplateProvisioner(
            vertx, store, pages, releases, user, plain, instances, config.computesDir());
    // The others when they are first asked for.
    template.ensure(PostgresMajor.DEFAULT);
    var provision =
        Provision.of(
            blocking,
            store,
            pages,
            newHost,
            newReplicas,
            placement,
            template::ensure,
            config.pitrWindowMs(),
            Clock.systemUTC());
    newBus.subscribe(
        Addresses.HOSTS,
        message -> {
          switch (message) {
            case ComputeMessage.HostAnnouncement announcement -> fleet.accept(announcement);
            case ComputeMessage.ReplicaAnnouncement announcement -> {
              fleet.accept(announcement);
              keeper.heard(announcement);
            }
            default -> {}
          }
        });
    fleet.accept(announcement(newHost));
    new Introduction(blocking, fleet).learn();
    new Router(newHost, newReplicas, keeper, placement, provision, newBus, tasks).listen();
    HostMeters.bind(meters, newHost);
    HostMeters.bind(meters, newReplicas);
    HostMeters.bind(meters, newCache);
    timer = vertx.setPeriodic(ANNOUNCE_EVERY_MS, id -> tasks.execute(this::announce));
    clearing =
        vertx.setPeriodic(CLEAR_EVERY_MS, id -> tasks.execute(() -> clear(provision.leftovers())));
    keeping = vertx.setPeriodic(KEEP_EVERY_MS, id -> keeper.look());
    announce();
    tasks.execute(releases::prepareKnown);
  }

  /** What the primary of a branch says. */
  private static Lsn durableEnd(FleetView fleet, BranchId branch) {
    return fleet.compute(branch).map(compute -> compute.status().durableLsn()).orElse(Lsn.INVALID);
  }

  private static void clear(Leftovers leftovers) {
    try {
      leftovers.sweep();
    } catch (RuntimeException e) {
      log.warn("what was begun and not ended is left: {}", e.getMessage());
    }
  }

  private void announce() {
    Host announced = host;
    Replicas own = replicas;
    Bus to = bus;
    if (announced == null || to == null) {
      return;
    }
    announcing.lock();
    try {
      to.publish(Addresses.HOSTS, announcement(announced));
      if (own != null) {
        to.publish(
            Addresses.HOSTS,
            new ComputeMessage.ReplicaAnnouncement(
                announced.id(), config.address(), own.statuses()));
      }
    } finally {
      announcing.unlock();
    }
  }

  private ComputeMessage.HostAnnouncement announcement(Host of) {
    return new ComputeMessage.HostAnnouncement(
        of.id(), config.address(), of.room(), of.capacity(), of.leaving(), of.statuses());
  }

  /** Suspends every compute, then ends. */
  @Override
  public Future<?> stop() {
    return onTask(
            () -> {
              Host closing = host;
              Replicas ending = replicas;
              if (closing != null) {
                closing.beginLeaving();
                if (ending != null) {
                  ending.close();
                }
                closing.close();
              }
              closeCache();
              closeArenas();
            })
        .eventually(() -> {
          vertx.cancelTimer(timer);
          vertx.cancelTimer(clearing);
          vertx.cancelTimer(keeping);
          return Future.succeededFuture();
        });
  }

  private LocalCache openCache() {
    try {
      long limit = config.localCacheBytes();
      if (limit == 0) {
        limit = Files.getFileStore(config.computesDir()).getUsableSpace() / 4 * 3;
      }
      return LocalCache.open(limit, config.capacity(), config.computesDir());
    } catch (IOException e) {
      throw new EbbException.Unavailable("the local cache cannot be used: " + e, e);
    }
  }

  private void closeCache() {
    LocalCache closing = cache;
    if (closing != null) {
      closing.close();
    }
  }

  private void closeArenas() {
    ArenaDirectory closing = arenas;
    if (closing != null) {
      try {
        closing.close();
      } catch (IOException e) {
        log.warn("{} could not be deleted: {}", closing.path(), e.toString());
      }
    }
  }
}
