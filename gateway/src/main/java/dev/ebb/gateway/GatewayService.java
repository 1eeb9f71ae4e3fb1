package dev.ebb.gateway;

import dev.ebb.gateway.auth.LoginRules;
import dev.ebb.gateway.auth.LoginThrottle;
import dev.ebb.gateway.cancel.CancelForwarder;
import dev.ebb.gateway.cancel.CancelKeys;
import dev.ebb.gateway.console.Console;
import dev.ebb.gateway.limit.Limits;
import dev.ebb.gateway.listen.HandOver;
import dev.ebb.gateway.pool.Pauses;
import dev.ebb.gateway.pool.PoolTraffic;
import dev.ebb.gateway.pool.Pools;
import dev.ebb.gateway.relay.DatabaseTraffics;
import dev.ebb.gateway.relay.Traffic;
import dev.ebb.gateway.route.BranchDirectory;
import dev.ebb.gateway.route.CatalogDirectory;
import dev.ebb.gateway.route.Computes;
import dev.ebb.gateway.route.ReplicaRoutes;
import dev.ebb.gateway.route.RouteCache;
import dev.ebb.gateway.session.Admission;
import dev.ebb.gateway.session.LiveSessions;
import dev.ebb.gateway.session.SessionLimits;
import dev.ebb.gateway.session.SessionMeters;
import dev.ebb.gateway.session.SessionServices;
import dev.ebb.gateway.tls.ComputeConnector;
import dev.ebb.gateway.tls.SelfSigned;
import dev.ebb.gateway.tls.ServerCertificate;
import dev.ebb.gateway.tls.TlsFiles;
import dev.ebb.gateway.tls.TlsMaterial;
import dev.ebb.gateway.tls.TlsUpgrade;
import dev.ebb.gateway.tls.TlsWatch;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.core.instrument.MeterRegistry;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.MessageConsumer;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.PromiseInternal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The PostgreSQL front: takes client connections, authenticates them, wakes the branch that they
 * ask for and relays bytes. Needs hosts that answer on {@link Addresses#COMPUTE}; without them
 * clients get clear errors.
 */
public final class GatewayService extends VerticleBase {
  private static final Logger log = LoggerFactory.getLogger(GatewayService.class);

  private static final long DRAIN_TICK_MS = 50;

  /**
   * How long connections are accepted after the kernel has begun to give new ones to another
   * process: those whose handshake had begun before need a round trip, or two where a packet is
   * lost.
   */
  private static final long HANDSHAKES_MS = 1_500;

  private static final int LEAVE_ATTEMPTS = 3;

  private final BranchDirectory directory;
  private final GatewayConfig config;
  private final MeterRegistry meters;
  private final Clock clock = Clock.systemUTC();
  private volatile int port;
  private volatile int poolPort = -1;
  private volatile Pools.@Nullable Shared pools;
  private final HandOver handOver = new HandOver();
  private final List<GatewayListener> listeners = new CopyOnWriteArrayList<>();
  private @Nullable RouteCache routes;
  private volatile @Nullable LiveSessions live;
  private @Nullable TlsWatch watch;
  private @Nullable MessageConsumer<BusMessage> announcements;

  /** The store is read for the catalog only. */
  public GatewayService(ObjectStore store, GatewayConfig config, MeterRegistry meters) {
    this(new CatalogDirectory(store), config, meters);
  }

  GatewayService(BranchDirectory directory, GatewayConfig config, MeterRegistry meters) {
    this.directory = directory;
    this.config = config;
    this.meters = meters;
  }

  /** The port that it listens on, once started. */
  public int port() {
    return port;
  }

  /** The port on which clients share connections, once started; -1 where there is none. */
  public int poolPort() {
    return poolPort;
  }

  @Override
  public Future<?> start() {
    if (config.operations().sharePort() && !HandOver.isPossible(vertx)) {
      log.warn(
          "gateway.sharePort is of no use here: sockets of this transport cannot share a port, and"
              + " no other gateway can take this one's over");
    }
    return identity()
        .compose(this::withConsole)
        .compose(services -> {
          live = services.live();
          return listen(services, config.port(), null)
              .compose(bound -> {
                port = bound;
                log.info("PostgreSQL clients connect to {}:{}", config.host(), bound);
                return config.poolPort() < 0
                    ? Future.succeededFuture(-1)
                    : listen(services, config.poolPort(), shared(services));
              });
        })
        .onSuccess(bound -> {
          poolPort = bound;
          if (bound >= 0) {
            log.info("and to {}:{} to share connections", config.host(), bound);
          }
        });
  }

  /** How a port is listened on. */
  record Opening(String host, int bind, boolean sharePort, HandOver handOver) {}

  /** Deriving keys from a password is slow on purpose. */
  private Future<SessionServices> withConsole(Identity identity) {
    SessionServices services = services(identity);
    Secret token = config.operations().adminToken();
    if (token == null) {
      return Future.succeededFuture(services);
    }
    var view = new Administration(config, services, Objects.requireNonNull(watch), () -> pools);
    PromiseInternal<SessionServices> made = ((ContextInternal) context).promise();
    Thread.ofVirtual()
        .start(() -> {
          try {
            made.complete(services.with(new Console(token, view)));
          } catch (RuntimeException e) {
            made.fail(e);
          }
        });
    return made.future();
  }

  /**
   * Accepts no more clients, ends those that are between two transactions, and the others as soon
   * as they are; what is left after {@link GatewayOperations#drainTimeoutMs} is ended at once when
   * the service is stopped. Where another gateway shares the ports it gets all new connections
   * before this one refuses any. On any thread.
   *
   * @return completes when no client is left or the time is over
   */
  public Future<Void> drain() {
    return drain(config.operations().drainTimeoutMs());
  }

  /** The same within a shorter time, where it is one. */
  public Future<Void> drain(long atMostMs) {
    long timeoutMs = Math.min(atMostMs, config.operations().drainTimeoutMs());
    LiveSessions sessions = live;
    if (sessions == null || (timeoutMs == 0 && !config.operations().sharePort())) {
      return Future.succeededFuture();
    }
    Promise<Void> drained = Promise.promise();
    leavePorts()
        .onComplete(left -> {
          listeners.forEach(GatewayListener::close);
          if (timeoutMs == 0) {
            drained.complete();
            return;
          }
          log.info("draining: {} clients", sessions.size());
          long deadlineNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
          drain(sessions, deadlineNanos, drained);
        });
    return drained.future();
  }

  private void drain(LiveSessions sessions, long deadlineNanos, Promise<Void> drained) {
    sessions.drain();
    vertx.setTimer(
        DRAIN_TICK_MS,
        timer -> {
          if (sessions.size() == 0) {
            log.info("drained");
            drained.complete();
          } else if (System.nanoTime() - deadlineNanos > 0) {
            log.info("drained but for {} clients", sessions.size());
            drained.complete();
          } else {
            drain(sessions, deadlineNanos, drained);
          }
        });
  }

  /** Completes when nobody is on the way to this process any more. */
  private Future<Void> leavePorts() {
    if (!config.operations().sharePort()) {
      return Future.succeededFuture();
    }
    Promise<Void> left = Promise.promise();
    Thread.ofVirtual().start(() -> leavePorts(LEAVE_ATTEMPTS, left));
    return left.future();
  }

  /** Somebody who begins to listen meanwhile undoes it, so it is looked at again before the end. */
  private void leavePorts(int attempts, Promise<Void> left) {
    List<Integer> elsewhere =
        Stream.of(port, poolPort)
            .filter(each -> each >= 0 && handOver.leave(config.host(), each))
            .toList();
    if (elsewhere.isEmpty()) {
      left.complete();
      return;
    }
    Runnable look =
        () -> {
          if (attempts == 1
              || elsewhere.stream().allMatch(each -> handOver.isLeft(config.host(), each))) {
            left.complete();
          } else {
            leavePorts(attempts - 1, left);
          }
        };
    vertx.setTimer(HANDSHAKES_MS, timer -> Thread.ofVirtual().start(look));
  }

  /** A port is listened on. */
  private Future<Integer> begun(int bound) {
    if (!config.operations().sharePort()) {
      return Future.succeededFuture(bound);
    }
    PromiseInternal<Integer> done = ((ContextInternal) context).promise();
    Thread.ofVirtual()
        .start(() -> {
          handOver.begin(config.host(), bound);
          done.complete(bound);
        });
    return done.future();
  }

  /** What takes files and slow cryptography to make. */
  private record Identity(
      TlsFiles files, TlsUpgrade tls, ComputeConnector connector, byte[] mockSecret) {}

  private Future<Identity> identity() {
    PromiseInternal<Identity> made = ((ContextInternal) context).promise();
    Thread.ofVirtual()
        .start(() -> {
          try {
            Path clientCa = config.access().clientCaFile();
            TlsFiles files =
                config.certificateFile() != null && config.keyFile() != null
                    ? new TlsFiles(config.certificateFile(), config.keyFile(), clientCa)
                    : SelfSigned.findOrCreate(config.tlsDirectory(), clientCa);
            TlsMaterial material = files.read();
            made.complete(
                new Identity(
                    files,
                    new TlsUpgrade(material),
                    ComputeConnector.trusting(config.access().computeCaFile()),
                    mockSecret(material.server())));
          } catch (RuntimeException e) {
            made.fail(e);
          }
        });
    return made.future();
  }

  private SessionServices services(Identity identity) {
    watch = TlsWatch.start(vertx, identity.files(), identity.tls(), meters);
    var random = new SecureRandom();
    var bus = new Bus(vertx);
    var sessions = new LiveSessions();
    var admission = new Admission(config.maxUnauthenticated());
    var limits = new Limits(config.access().limits(), clock, System::nanoTime, meters);
    var cache = new RouteCache(vertx, directory, clock);
    var keys = new CancelKeys(random);
    var replicas = new ReplicaRoutes(clock);
    routes = cache;
    announcements =
        bus.subscribe(
            Addresses.HOSTS,
            message -> {
              switch (message) {
                case HostAnnouncement announcement -> {
                  sessions.heard(announcement);
                  limits.heard(announcement);
                  Pools.Shared shared = pools;
                  if (shared != null) {
                    shared.heard(announcement);
                  }
                }
                case ReplicaAnnouncement announcement -> replicas.heard(announcement);
                default -> {}
              }
            });
    return new SessionServices(
        vertx,
        new SessionLimits(
            config.loginTimeoutMs(),
            config.wakeTimeoutMs(),
            config.maxUnauthenticated(),
            config.maxConnections(),
            config.requireTls(),
            config.access().domain(),
            config.access().requireClientCertificate()),
        identity.tls(),
        new LoginRules(identity.mockSecret(), random, clock),
        new LoginThrottle(clock),
        limits,
        cache,
        new Computes(bus, config.wakeTimeoutMs(), limits),
        replicas,
        identity.connector(),
        keys,
        new CancelForwarder(vertx, keys, identity.connector(), meters),
        new Traffic(meters),
        admission,
        sessions,
        new SessionMeters(meters, sessions, admission),
        new DatabaseTraffics(meters),
        new Pauses(),
        null);
  }

  /** The same at every start, known to nobody else, and no new file to keep. */
  private static byte[] mockSecret(ServerCertificate certificate) {
    try {
      var mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(certificate.key().getEncoded(), "HmacSHA256"));
      return mac.doFinal("ebb gateway mock authentication".getBytes(StandardCharsets.US_ASCII));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private Pools.Shared shared(SessionServices services) {
    var shared =
        new Pools.Shared(
            config.pool(),
            new PoolTraffic(services.traffic(), meters),
            services.databases(),
            services.pauses());
    pools = shared;
    return shared;
  }

  /** One listener an event loop, all on the same port; Vert.x deals connections out among them. */
  private Future<Integer> listen(
      SessionServices services, int wanted, Pools.@Nullable Shared shared) {
    int loops =
        config.eventLoops() > 0 ? config.eventLoops() : Runtime.getRuntime().availableProcessors();
    var listening = new ArrayList<Future<Integer>>();
    // Vert.x shares a negative port among listeners as it does a fixed one, and binds any free one.
    int bind = wanted == 0 ? -1 - new SecureRandom().nextInt(1 << 20) : wanted;
    for (int i = 0; i < loops; i++) {
      var listener =
          new GatewayListener(
              services,
              new Opening(config.host(), bind, config.operations().sharePort(), handOver),
              shared);
      listeners.add(listener);
      listening.add(
          vertx.deployVerticle(listener, new DeploymentOptions()).map(id -> listener.port()));
    }
    return Future.all(listening).compose(all -> listening.getFirst()).compose(this::begun);
  }

  /** By now the listeners have ended every session. */
  @Override
  public Future<?> stop() {
    if (watch != null) {
      watch.close();
    }
    if (routes != null) {
      routes.close();
    }
    return announcements == null ? Future.succeededFuture() : announcements.unregister();
  }
}
