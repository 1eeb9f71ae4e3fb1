package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.ComputeServiceConfig;
import dev.ebb.computeservice.blockmap.BlockMap;
import dev.ebb.computeservice.blockmap.LocalFiles;
import dev.ebb.computeservice.hydrate.AgentSocket;
import dev.ebb.computeservice.hydrate.PageHydrator;
import dev.ebb.computeservice.hydrate.Prewarm;
import dev.ebb.computeservice.hydrate.PrewarmMemory;
import dev.ebb.computeservice.localcache.LocalCache;
import dev.ebb.computeservice.localcache.Share;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.pages.ReadSnapshot;
import dev.ebb.computeservice.postgres.ComputeSize;
import dev.ebb.computeservice.postgres.HbaFile;
import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.PostgresBinaries;
import dev.ebb.computeservice.postgres.PostgresProcess;
import dev.ebb.computeservice.postgres.PostgresReleases;
import dev.ebb.computeservice.postgres.PostgresSettings;
import dev.ebb.computeservice.postgres.ProcessLauncher;
import dev.ebb.computeservice.postgres.ReplicaFiles;
import dev.ebb.computeservice.skeleton.Skeleton;
import dev.ebb.computeservice.template.SkeletonCheck;
import dev.ebb.computeservice.template.TemplateMaker;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Lays out and starts PostgreSQL from a snapshot. */
public final class PostgresInstances {
  private static final Logger log = LoggerFactory.getLogger(PostgresInstances.class);
  private static final SecureRandom RANDOM = new SecureRandom();

  private final ComputeServiceConfig config;
  private final Path arenas;
  private final LocalCache cache;
  private final PrewarmMemory prewarmMemory = new PrewarmMemory();
  private final PageClient pages;
  private final PostgresReleases releases;
  private final OsUser user;
  private final ProcessLauncher launcher;

  /** Who owns what PostgreSQL reads; null where that is this process's own user. */
  private final @Nullable UserPrincipal owner;

  /**
   * What to start.
   *
   * @param label names it: the branch
   * @param snapshot where its pages are read from
   * @param kind what it is to be
   */
  public record Start(
      String label,
      Generation generation,
      ReadSnapshot snapshot,
      Manifest manifest,
      long systemIdentifier,
      Kind kind) {}

  /** What an instance is to its branch. */
  public sealed interface Kind {
    /**
     * A primary.
     *
     * @param tail WAL to replay, or null where the log ends with the snapshot
     * @param durable how a cancelled commit wait learns whether it may return, see {@link
     *     PageHydrator.DurabilityCheck}
     */
    record Primary(Skeleton.@Nullable Tail tail, PageHydrator.DurabilityCheck durable)
        implements Kind {
      Skeleton.Wal wal() {
        return tail == null ? new Skeleton.NoWal() : tail;
      }
    }

    /**
     * A replica.
     *
     * @param source where its WAL comes from at first
     * @param from behind what it has of it
     * @param name how it calls itself there
     */
    record Replica(ReplicaFiles.Source source, Lsn from, String name) implements Kind {}
  }

  /**
   * Makes instances.
   *
   * @param arenas where block maps are made
   * @param cache what the instances may keep on the local disk
   */
  public PostgresInstances(
      ComputeServiceConfig config,
      Path arenas,
      LocalCache cache,
      PageClient pages,
      PostgresReleases releases,
      OsUser user,
      ProcessLauncher launcher) {
    this.config = config;
    this.arenas = arenas;
    this.cache = cache;
    this.pages = pages;
    this.releases = releases;
    this.user = user;
    this.launcher = launcher;
    this.owner = user.switched() ? principal(user) : null;
  }

  private static UserPrincipal principal(OsUser user) {
    try {
      return FileSystems.getDefault()
          .getUserPrincipalLookupService()
          .lookupPrincipalByName(user.name());
    } catch (IOException e) {
      throw new EbbException.Unavailable("cannot look up the user " + user.name() + ": " + e, e);
    }
  }

  /** Starts a template's snapshot without a WAL service behind it, to see what a start reads. */
  public PostgresInstance trial(String manifestKey, Manifest manifest) {
    PostgresInstance instance =
        lay(
            new Start(
                "template",
                Generation.NONE,
                new ReadSnapshot(manifestKey, Optional::empty),
                manifest,
                manifest.systemIdentifier(),
                new Kind.Primary(
                    null,
                    timeoutMs -> {
                      throw new EbbException.Unavailable("a trial start has no WAL service");
                    })));
    try {
      instance.launch();
      return instance;
    } catch (RuntimeException e) {
      instance.close();
      throw e;
    }
  }

  /**
   * Makes everything that PostgreSQL starts on; nothing runs yet. The boot pages are asked for
   * first and written last, while directories are made.
   */
  public PostgresInstance lay(Start start) {
    Manifest manifest = start.manifest();
    PostgresMajor major = PostgresMajor.ofRelease(manifest.postgresVersion());
    PostgresBinaries binaries = releases.require(major);
    var boot =
        CompletableFuture.supplyAsync(
            () -> start.snapshot().read(pages::bootPages), task -> Thread.ofVirtual().start(task));
    String name = start.label() + "-" + start.generation() + "-" + randomHex(4);
    var closing = new PostgresInstance.Resources();
    try {
      Path directory = makeDirectory(config.computesDir().resolve(name));
      closing.paths.add(directory);
      Path run = makeDirectory(config.runDir().resolve(randomHex(6)));
      closing.paths.add(run);
      Path data = directory.resolve("data");
      Path arena = arenas.resolve(name);
      closing.paths.add(arena);
      PgControl control =
          new Skeleton(data, manifest, user).lay(start.systemIdentifier(), wal(start.kind()));
      closing.map =
          BlockMap.create(
              arena,
              start.generation().value(),
              manifest.nextIncarnation(),
              manifest.files(),
              BlockMap.DEFAULT_NEW_CAPACITY);
      user.own(arena);
      var files = new LocalFiles(closing.map, data, owner);
      Share share = cache.open(files);
      closing.share = share;
      var hydrator = new PageHydrator(files, pages, share, start.snapshot(), durable(start.kind()));
      closing.hydrator = hydrator;
      var prewarm = new Prewarm(hydrator, prewarmMemory, start.label());
      closing.prewarm = prewarm;
      // Recovery reads the commit log; relations are first read by the first session, so that
      // theirs are put in place while PostgreSQL starts.
      Map<Boolean, List<PageMessage.BootPages.Run>> pagesOfAStart =
          join(boot).runs().stream()
              .collect(
                  Collectors.partitioningBy(
                      placed -> placed.file().kind() == FileKey.Kind.RELATION));
      for (PageMessage.BootPages.Run early : pagesOfAStart.getOrDefault(false, List.of())) {
        hydrator.fillAhead(early);
      }
      SkeletonCheck.check(
          data,
          manifest.files(),
          hydrator.fetchAhead(SkeletonCheck.requiredBlocks(control, manifest.files())));
      Path agent = run.resolve("agent");
      closing.socket = AgentSocket.open(agent, owner, hydrator);
      Skeleton.Tail tail = start.kind() instanceof Kind.Primary primary ? primary.tail() : null;
      Lsn startLsn = tail == null ? manifest.endLsn() : tail.to();
      ServerSocket port = freePort();
      closing.port = port;
      var settings =
          settings(
              major,
              directory,
              run,
              port.getLocalPort(),
              settingsOf(start.kind(), directory, control.maxConnections()));
      return new PostgresInstance(
          closing,
          files,
          share,
          hydrator,
          prewarm,
          pagesOfAStart.getOrDefault(true, List.of()),
          data,
          startLsn,
          tail == null
              ? null
              : new PostgresInstance.Tail(
                  tail.from(),
                  tail.to(),
                  control.major(),
                  manifest.walSegmentBytes(),
                  control.timeline()),
          start.systemIdentifier(),
          settings,
          processSpec(start.label(), binaries, directory, data, arena, agent, settings),
          Duration.ofMillis(config.startTimeoutMs()));
    } catch (IOException e) {
      closing.close();
      throw new EbbException.Unavailable("cannot lay out a compute: " + e, e);
    } catch (RuntimeException e) {
      closing.close();
      throw e;
    }
  }

  private static Skeleton.Wal wal(Kind kind) {
    return switch (kind) {
      case Kind.Primary primary -> primary.wal();
      case Kind.Replica replica -> new Skeleton.Streamed(replica.from());
    };
  }

  private static PageHydrator.DurabilityCheck durable(Kind kind) {
    return switch (kind) {
      case Kind.Primary primary -> primary.durable();
      case Kind.Replica replica ->
          timeoutMs -> {
            throw new EbbException.Unavailable("a replica commits nothing");
          };
    };
  }

  private PostgresSettings.Kind settingsOf(Kind kind, Path directory, int connections)
      throws IOException {
    return switch (kind) {
      case Kind.Primary primary -> new PostgresSettings.Kind.Primary("ebb_wal_" + randomHex(16));
      case Kind.Replica replica -> {
        var files = new ReplicaFiles(directory, user);
        files.write(replica.source(), replica.from(), replica.name());
        yield new PostgresSettings.Kind.Replica(files.config(), connections);
      }
    };
  }

  /** Tells a replica where its WAL comes from now; PostgreSQL hears of it when it reloads. */
  void redirect(PostgresInstance instance, Kind.Replica replica) {
    try {
      new ReplicaFiles(instance.directory(), user)
          .write(replica.source(), replica.from(), replica.name());
    } catch (IOException e) {
      throw new EbbException.Unavailable("a replica's configuration cannot be written: " + e, e);
    }
  }

  /** The boot pack holds copies: a damaged one makes a start slower, not impossible. */
  private static PageMessage.BootPages join(CompletableFuture<PageMessage.BootPages> boot) {
    try {
      return boot.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof EbbException.Corrupt damaged) {
        log.error("a compute starts without its boot pages: {}", damaged.getMessage());
        return new PageMessage.BootPages(List.of());
      }
      if (e.getCause() instanceof EbbException known) {
        throw known;
      }
      throw new EbbException.Unavailable("the boot pages cannot be read: " + e.getCause(), e);
    }
  }

  private PostgresSettings settings(
      PostgresMajor major, Path directory, Path run, int port, PostgresSettings.Kind kind)
      throws IOException {
    Path hba = directory.resolve("pg_hba.conf");
    Files.writeString(
        hba, new HbaFile(TemplateMaker.ADMIN, List.of(config.address() + "/32")).text());
    user.own(hba);
    Path ident = directory.resolve("pg_ident.conf");
    Files.writeString(ident, "");
    user.own(ident);
    return new PostgresSettings(
        major,
        new ComputeSize(config.computeMemoryMb(), config.maxConnections()),
        config.address(),
        port,
        run,
        hba,
        ident,
        kind,
        config.tls());
  }

  private PostgresProcess.Spec processSpec(
      String label,
      PostgresBinaries binaries,
      Path directory,
      Path data,
      Path arena,
      Path agent,
      PostgresSettings settings) {
    return new PostgresProcess.Spec(
        launcher,
        binaries,
        user,
        data,
        settings.arguments(),
        shimEnvironment(arena, agent, data),
        directory.resolve("postgres.log"),
        label,
        () -> true);
  }

  private static Map<String, String> shimEnvironment(Path arena, Path agent, Path data) {
    var environment = new HashMap<String, String>();
    // The hooks by which tests hold writes up, or spoil them: see page_shim.c.
    System.getenv()
        .forEach((name, value) -> {
          if (name.startsWith("EBB_TEST_")) {
            environment.put(name, value);
          }
        });
    environment.put("EBB_ARENA", arena.toString());
    environment.put("EBB_AGENT_SOCKET", agent.toString());
    environment.put("EBB_DATADIR", data.toString());
    return environment;
  }

  private Path makeDirectory(Path path) throws IOException {
    Files.createDirectory(
        path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    user.own(path);
    return path;
  }

  /** Any free port, held until the start; where somebody takes it just then, the start fails. */
  private ServerSocket freePort() throws IOException {
    return new ServerSocket(0, 1, InetAddress.getByName(config.address()));
  }

  static String randomHex(int bytes) {
    var random = new byte[bytes];
    RANDOM.nextBytes(random);
    return HexFormat.of().formatHex(random);
  }
}
