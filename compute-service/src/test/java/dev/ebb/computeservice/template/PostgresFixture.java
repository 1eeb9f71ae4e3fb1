package dev.ebb.computeservice.template;

import dev.ebb.computeservice.blockmap.NativeFiles;
import dev.ebb.computeservice.postgres.ComputeSize;
import dev.ebb.computeservice.postgres.HbaFile;
import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.PostgresBinaries;
import dev.ebb.computeservice.postgres.PostgresProcess;
import dev.ebb.computeservice.postgres.PostgresSettings;
import dev.ebb.computeservice.postgres.SupervisedLauncher;
import dev.ebb.computeservice.postgres.Trees;
import dev.ebb.computeservice.postgres.WalPages;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/** Real PostgreSQL for the tests: binaries and a template once per JVM, clusters made from it. */
public final class PostgresFixture {
  public static final Duration PATIENCE = Duration.ofSeconds(60);

  /** The majors that tests of several go through: the oldest and the newest, or all. */
  public static final List<PostgresMajor> MAJORS =
      (Boolean.getBoolean("ebb.soak") ? IntStream.rangeClosed(14, 18) : IntStream.of(14, 18))
          .mapToObj(PostgresMajor::new)
          .toList();

  private static final Map<PostgresMajor, PostgresFixture> INSTANCES = new HashMap<>();

  public final Path root;
  public final OsUser user;
  public final PostgresBinaries binaries;
  public final SupervisedLauncher launcher;
  public final StoppedCluster template;
  public final Vertx vertx = Vertx.vertx();
  private int made;

  private PostgresFixture(PostgresMajor major) throws IOException {
    root = Files.createTempDirectory("ebb-it");
    Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(() -> {
              try {
                Trees.delete(root);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            }));
    user = OsUser.choose("postgres");
    binaries = PostgresBinaries.unpack(root.resolve("postgres"), user, major);
    launcher = new SupervisedLauncher(NativeFiles.unpack(root).supervisor(), null, 0, 0);
    template = new TemplateMaker(binaries, user, launcher).make(root.resolve("template"));
  }

  public static PostgresFixture get() throws IOException {
    return get(PostgresMajor.DEFAULT);
  }

  public static synchronized PostgresFixture get(PostgresMajor major) throws IOException {
    PostgresFixture present = INSTANCES.get(major);
    if (present == null) {
      present = new PostgresFixture(major);
      INSTANCES.put(major, present);
    }
    return present;
  }

  /** Deletes every cluster but the template: at the end of a test. */
  public synchronized void clean() throws IOException {
    for (int i = 1; i <= made; i++) {
      Trees.delete(root.resolve("d" + i));
      Trees.delete(root.resolve("d" + i + "s"));
    }
  }

  /** A path for a new data directory. */
  public synchronized Path newDirectory() {
    made++;
    return root.resolve("d" + made);
  }

  /** Lays a whole cluster, with the WAL pieces and nothing else of its log. */
  public Path lay(StoppedCluster from, PgControl control) throws IOException {
    return lay(from, control, file -> true);
  }

  /** Lays a cluster with some of its files of blocks only. */
  Path lay(StoppedCluster from, PgControl control, Predicate<Manifest.BlockFile> wanted)
      throws IOException {
    Path data = newDirectory();
    Files.createDirectory(
        data, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    for (String directory : from.directories()) {
      Files.createDirectory(data.resolve(directory));
    }
    for (Manifest.SmallFile file : from.smallFiles()) {
      Files.write(data.resolve(file.path()), file.content());
    }
    for (Manifest.BlockFile file : from.files().stream().filter(wanted).toList()) {
      try (var out = new RandomAccessFile(data.resolve(file.key().path()).toFile(), "rw")) {
        out.setLength((long) file.blocks() * FileKey.BLOCK_BYTES);
        for (int block = 0; block < file.blocks(); block += 128) {
          out.write(from.readBlocks(file.key(), block, Math.min(128, file.blocks() - block)));
        }
      }
    }
    control.write(data);
    user.ownAll(data);
    WalPages.layInto(data.resolve("pg_wal"), from.walPieces(), control, user);
    return data;
  }

  /** Starts and waits until ready; commits do not wait for any standby. */
  public Server start(Path data, String... settings) throws IOException {
    Server server = launch(data, launcher, settings);
    try {
      server.process.awaitReady(PATIENCE);
      return server;
    } catch (RuntimeException e) {
      server.close();
      throw e;
    }
  }

  public Server launch(Path data, SupervisedLauncher how, String... settings) throws IOException {
    return launch(data, how, () -> true, settings);
  }

  /** Starts without waiting; the lease is held as long as {@code mayLive} says so. */
  public Server launch(
      Path data, SupervisedLauncher how, BooleanSupplier mayLive, String... settings)
      throws IOException {
    Path sockets = data.resolveSibling(data.getFileName() + "s");
    if (!Files.exists(sockets)) {
      Files.createDirectory(
          sockets,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      user.own(sockets);
      Files.writeString(
          sockets.resolve("hba"), new HbaFile("ebb_admin", List.of("127.0.0.1/32")).text());
      Files.writeString(sockets.resolve("ident"), "");
      user.ownAll(sockets);
    }
    int port = freePort();
    var arguments =
        new ArrayList<>(
            new PostgresSettings(
                    new PostgresMajor(binaries.version().major()),
                    new ComputeSize(128, 50),
                    "127.0.0.1",
                    port,
                    sockets,
                    sockets.resolve("hba"),
                    sockets.resolve("ident"),
                    new PostgresSettings.Kind.Primary("ebb_nobody"))
                .arguments());
    arguments.addAll(List.of("-c", "synchronous_standby_names="));
    for (String setting : settings) {
      arguments.addAll(List.of("-c", setting));
    }
    return new Server(
        PostgresProcess.start(
            new PostgresProcess.Spec(
                how,
                binaries,
                user,
                data,
                arguments,
                Map.of(),
                sockets.resolve("log"),
                data.getFileName().toString(),
                mayLive)),
        sockets,
        port);
  }

  private static int freePort() throws IOException {
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  public static <T> T await(Future<T> future) {
    try {
      return future
          .toCompletionStage()
          .toCompletableFuture()
          .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException | java.util.concurrent.TimeoutException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A running cluster. */
  public final class Server implements AutoCloseable {
    public final PostgresProcess process;
    public final Path sockets;
    public final int port;

    private Server(PostgresProcess process, Path sockets, int port) {
      this.process = process;
      this.sockets = sockets;
      this.port = port;
    }

    public PgConnection connect(String database) {
      return PostgresFixture.await(
          PgConnection.connect(
              vertx,
              new PgConnectOptions()
                  .setHost(sockets.toString())
                  .setPort(port)
                  .setUser("ebb_admin")
                  .setDatabase(database)));
    }

    /** The first column of every row, as text, of the last statement. */
    public List<String> sql(String database, String... statements) {
      PgConnection connection = connect(database);
      try {
        var column = new ArrayList<String>();
        for (String statement : statements) {
          column.clear();
          PostgresFixture.await(connection.query(statement).execute())
              .forEach(row -> column.add(String.valueOf(row.getValue(0))));
        }
        return column;
      } finally {
        PostgresFixture.await(connection.close());
      }
    }

    public String log() {
      return String.join("\n", process.lastLogLines());
    }

    /** The log once it contains the text: it comes through a pipe, behind what it tells of. */
    public String awaitLog(String text) {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (!log().contains(text)) {
        if (System.nanoTime() > deadline) {
          throw new AssertionError("no \"" + text + "\" in the log:\n" + log());
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
      }
      return log();
    }

    @Override
    public void close() {
      process.close();
    }
  }
}
