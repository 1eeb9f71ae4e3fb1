package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.blockmap.BlockMap;
import dev.ebb.computeservice.blockmap.LocalFiles;
import dev.ebb.computeservice.hydrate.AgentSocket;
import dev.ebb.computeservice.hydrate.PageHydrator;
import dev.ebb.computeservice.hydrate.Prewarm;
import dev.ebb.computeservice.hydrate.RecoveryReads;
import dev.ebb.computeservice.localcache.Share;
import dev.ebb.computeservice.postgres.PostgresProcess;
import dev.ebb.computeservice.postgres.PostgresSettings;
import dev.ebb.computeservice.postgres.Trees;
import dev.ebb.computeservice.postgres.WalFiles;
import dev.ebb.computeservice.postgres.WalStream;
import dev.ebb.computeservice.sql.AdminConnection;
import dev.ebb.computeservice.template.TemplateMaker;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.wal.WalVersion;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One PostgreSQL on its skeleton: the process, the block map that it shares with this one, and the
 * socket on which it asks for pages. Knows nothing of branches or the log.
 */
public final class PostgresInstance implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PostgresInstance.class);
  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(10);

  private final Resources resources;
  private final LocalFiles localFiles;
  private final Share share;
  private final PageHydrator hydrator;
  private final Prewarm prewarm;
  private volatile List<PageMessage.BootPages.Run> pagesOfAStart;
  private final Path dataDirectory;
  private final Lsn startLsn;
  private final @Nullable Tail tail;
  private final long systemIdentifier;
  private final PostgresSettings settings;
  private final PostgresProcess.Spec spec;
  private final Duration startTimeout;
  private final CompletableFuture<Integer> exit = new CompletableFuture<>();
  private volatile @Nullable PostgresProcess process;

  /**
   * WAL that is replayed at the start.
   *
   * @param from where a record begins
   */
  record Tail(Lsn from, Lsn to, WalVersion version, int segmentBytes, int timeline) {}

  /** What must be released, whatever a start got as far as. */
  static final class Resources {
    final List<Path> paths = new ArrayList<>();
    @Nullable BlockMap map;
    @Nullable Share share;
    @Nullable PageHydrator hydrator;
    @Nullable Prewarm prewarm;
    @Nullable AgentSocket socket;
    @Nullable Thread filler;
    @Nullable RecoveryReads recoveryReads;
    @Nullable Thread recoveryReader;

    /** Holds the port until PostgreSQL takes it. */
    @Nullable ServerSocket port;

    void releasePort() {
      if (port != null) {
        try {
          port.close();
        } catch (IOException e) {
          log.warn("port {} could not be released: {}", port.getLocalPort(), e.toString());
        }
      }
    }

    void close() {
      joinReaders();
      releasePort();
      if (socket != null) {
        try {
          socket.close();
        } catch (IOException e) {
          log.warn("an agent socket could not be closed: {}", e.toString());
        }
      }
      if (prewarm != null) {
        prewarm.close();
      }
      if (hydrator != null) {
        hydrator.close();
      }
      if (share != null) {
        share.close();
      }
      if (map != null) {
        map.close();
      }
      paths.forEach(Resources::deleteTree);
      paths.clear();
    }

    /** They write to the block map, which must stay mapped meanwhile. */
    void joinReaders() {
      if (recoveryReads != null) {
        recoveryReads.close();
      }
      filler = join(filler);
      recoveryReader = join(recoveryReader);
    }

    private static @Nullable Thread join(@Nullable Thread thread) {
      boolean interrupted = false;
      while (thread != null && thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      return null;
    }

    private static void deleteTree(Path directory) {
      try {
        Trees.delete(directory);
      } catch (IOException e) {
        log.warn("{} could not be deleted: {}", directory, e.toString());
      }
    }
  }

  PostgresInstance(
      Resources resources,
      LocalFiles localFiles,
      Share share,
      PageHydrator hydrator,
      Prewarm prewarm,
      List<PageMessage.BootPages.Run> pagesOfAStart,
      Path dataDirectory,
      Lsn startLsn,
      @Nullable Tail tail,
      long systemIdentifier,
      PostgresSettings settings,
      PostgresProcess.Spec spec,
      Duration startTimeout) {
    this.resources = resources;
    this.localFiles = localFiles;
    this.share = share;
    this.hydrator = hydrator;
    this.prewarm = prewarm;
    this.pagesOfAStart = pagesOfAStart;
    this.dataDirectory = dataDirectory;
    this.startLsn = startLsn;
    this.tail = tail;
    this.systemIdentifier = systemIdentifier;
    this.settings = settings;
    this.spec = spec;
    this.startTimeout = startTimeout;
  }

  /** Starts PostgreSQL and waits until it accepts connections. */
  void launch() {
    resources.releasePort();
    Tail recovers = tail;
    if (recovers != null) {
      var reads = RecoveryReads.of(hydrator, share.aheadBlocks());
      resources.recoveryReads = reads;
      resources.recoveryReader =
          Thread.ofVirtual()
              .name("recovery-" + spec.label())
              .start(() -> readAhead(reads, recovers));
    }
    PostgresProcess started = PostgresProcess.start(spec);
    process = started;
    resources.filler = Thread.ofVirtual().name("boot-" + spec.label()).start(this::fillAhead);
    var _ =
        started.exit().whenComplete((status, error) -> exit.complete(error == null ? status : -1));
    started.awaitReady(startTimeout);
    prewarm.start();
  }

  private void readAhead(RecoveryReads reads, Tail recovers) {
    try (var files =
        WalFiles.in(
            dataDirectory.resolve("pg_wal"), recovers.segmentBytes(), recovers.timeline())) {
      reads.run(
          new WalStream(files, recovers.version(), recovers.segmentBytes(), recovers.from()),
          recovers.to());
    } catch (IOException | RuntimeException e) {
      log.debug("{}: nothing more ahead of recovery: {}", spec.label(), e.toString());
    }
  }

  /**
   * Puts the pages in place that the first sessions read. What comes too late, or fails, is fetched
   * when it is asked for.
   */
  void fillAhead() {
    List<PageMessage.BootPages.Run> runs = pagesOfAStart;
    pagesOfAStart = List.of();
    try {
      for (PageMessage.BootPages.Run run : runs) {
        hydrator.fillAhead(run);
      }
    } catch (IOException | RuntimeException e) {
      log.warn("{}: its first pages could not be put in place: {}", spec.label(), e.toString());
    }
  }

  boolean isAlive() {
    return process != null && !exit.isDone();
  }

  /** Calls back when PostgreSQL has ended, at once where it already has. */
  void onExit(Runnable action) {
    var _ = exit.thenRun(action);
  }

  /** The last thing that it said. */
  String lastLogLine() {
    PostgresProcess running = process;
    List<String> lines = running == null ? List.of() : running.lastLogLines();
    return lines.isEmpty() ? "it said nothing" : lines.getLast();
  }

  int port() {
    return settings.port();
  }

  long pid() {
    PostgresProcess running = process;
    return running == null || exit.isDone() ? 0 : running.pid();
  }

  /** Where this instance's own WAL begins. */
  Lsn startLsn() {
    return startLsn;
  }

  /** Where all of it is but its sockets and its block map. */
  Path directory() {
    return Objects.requireNonNull(dataDirectory.getParent(), "a data directory has a parent");
  }

  public Path dataDirectory() {
    return dataDirectory;
  }

  LocalFiles localFiles() {
    return localFiles;
  }

  /** Its part of the host's local cache. */
  Share share() {
    return share;
  }

  PageHydrator hydrator() {
    return hydrator;
  }

  long hydratedBytes() {
    return hydrator.hydratedBytes();
  }

  long bootBytes() {
    return hydrator.bootBytes();
  }

  /**
   * Where the WAL receiver connects to. The name that it carries is a secret: whoever knows it can
   * acknowledge commits. Of a primary only.
   */
  WalAttachment.Target target(Secret adminPassword) {
    if (!(settings.kind() instanceof PostgresSettings.Kind.Primary primary)) {
      throw new IllegalStateException("a replica has no WAL receiver of Ebb's");
    }
    return new WalAttachment.Target(
        settings.host(),
        settings.port(),
        TemplateMaker.ADMIN,
        adminPassword,
        new Secret(primary.standbyName()),
        systemIdentifier);
  }

  /** Connects as {@code ebb_admin} over the unix socket. */
  Future<AdminConnection> connect(Vertx vertx) {
    return AdminConnection.connect(
        vertx, settings.socketDirectory(), settings.port(), CONNECT_TIMEOUT);
  }

  /**
   * Whether it began with prepared transactions; to be asked before any session could prepare one.
   * Those of the snapshot have files; of those that recovery found, the checkpoint at its end makes
   * them ({@code CheckPointTwoPhase} in {@code twophase.c}), before PostgreSQL lets anybody in.
   */
  boolean hasPreparedTransactions() {
    try (Stream<Path> files = Files.list(dataDirectory.resolve("pg_twophase"))) {
      return files.findAny().isPresent();
    } catch (IOException e) {
      throw new EbbException.Unavailable("pg_twophase cannot be read: " + e, e);
    }
  }

  /** Rolls a prepared transaction back. */
  Future<Void> rollBack(Vertx vertx, AdminConnection.PreparedTransaction transaction) {
    return AdminConnection.rollBack(
        vertx, settings.socketDirectory(), settings.port(), transaction, CONNECT_TIMEOUT);
  }

  /** Does what a client's first moments do, in the given database. */
  public void warmUp(Vertx vertx, String database) {
    BlockingBus.await(
        AdminConnection.warmUp(
            vertx, settings.socketDirectory(), settings.port(), database, CONNECT_TIMEOUT),
        CONNECT_TIMEOUT.toMillis());
  }

  /** Blocks that were fetched on demand so far. */
  public List<Manifest.BlockRun> fetchedBlocks() {
    return hydrator.demanded();
  }

  /** Resident memory of the postmaster and its children; shared memory counts once. */
  long residentBytes() {
    return ProcessMemory.ofTree(pid());
  }

  /** Lets nobody in any more and ends every session but this one; returns when they are gone. */
  void endSessions(AdminConnection last, Duration timeout) {
    PostgresProcess running = process;
    if (running == null) {
      throw new EbbException.Unavailable("PostgreSQL does not run");
    }
    Sessions.endAll(running, last, timeout);
  }

  /** The shutdown checkpoint, then the end; false where it took too long. */
  boolean stopFast(long timeoutMs) {
    prewarm.remember();
    prewarm.close();
    PostgresProcess running = process;
    boolean stopped = running != null && running.stopFast(Duration.ofMillis(timeoutMs));
    resources.joinReaders();
    return stopped;
  }

  /** Ends it at once. */
  void kill() {
    PostgresProcess running = process;
    if (running != null) {
      running.close();
    }
  }

  /** The same; where that takes longer than it is worth, with SIGKILL. */
  void kill(Duration patience) {
    PostgresProcess running = process;
    if (running != null) {
      running.stopImmediate(patience);
      running.close();
    }
  }

  /** Deletes everything local. Nothing may run any more. */
  void delete() {
    resources.close();
  }

  @Override
  public void close() {
    kill();
    delete();
  }
}
