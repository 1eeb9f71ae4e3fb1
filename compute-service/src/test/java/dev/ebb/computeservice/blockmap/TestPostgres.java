package dev.ebb.computeservice.blockmap;

import dev.ebb.computeservice.postgres.Trees;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** PostgreSQL's binaries, the native programs and an unprivileged user, for the tests here. */
final class TestPostgres {

  /** Made once for all tests: binaries, native programs, the user. */
  private static @Nullable TestPostgres instance;

  final Path home;
  final NativeFiles natives;
  final Path root;
  private final int uid;
  private final int gid;

  private TestPostgres(Path root, int uid, int gid) throws IOException, InterruptedException {
    this.root = root;
    this.uid = uid;
    this.gid = gid;
    this.home = Files.createDirectory(root.resolve("postgres"));
    String arch = System.getProperty("os.arch").equals("aarch64") ? "arm_64" : "x86_64";
    Path archive = root.resolve("postgres.txz");
    try (InputStream in =
        TestPostgres.class.getResourceAsStream("/postgresql/18/postgres-linux-" + arch + ".txz")) {
      if (in == null) {
        throw new IOException("no PostgreSQL for " + arch + " on the class path");
      }
      Files.copy(in, archive);
    }
    run(List.of("tar", "xJf", archive.toString(), "-C", home.toString()));
    Files.delete(archive);
    this.natives = NativeFiles.unpack(root);
  }

  static synchronized TestPostgres get() throws IOException, InterruptedException {
    TestPostgres made = instance;
    if (made == null) {
      Path root = Files.createTempDirectory("ebb-shim-it");
      Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwxr-xr-x"));
      int uid = -1;
      int gid = -1;
      if (Integer.valueOf(0).equals(Files.getAttribute(root, "unix:uid"))) {
        for (String line : Files.readAllLines(Path.of("/etc/passwd"))) {
          List<String> fields = List.of(line.split(":", -1));
          if ((fields.get(0).equals("nobody") && uid < 0) || fields.get(0).equals("postgres")) {
            uid = Integer.parseInt(fields.get(2));
            gid = Integer.parseInt(fields.get(3));
          }
        }
      }
      made = new TestPostgres(root, uid, gid);
      instance = made;
      Runtime.getRuntime().addShutdownHook(new Thread(() -> deleteTree(root)));
    }
    return made;
  }

  /** Who owns what postgres writes; null if that is this process's own user. */
  @Nullable UserPrincipal owner() throws IOException {
    return uid < 0
        ? null
        : root.getFileSystem()
            .getUserPrincipalLookupService()
            .lookupPrincipalByName(Integer.toString(uid));
  }

  /** A new directory that postgres may write to. */
  Path directory(String name) throws IOException {
    Path directory = Files.createTempDirectory(root, name);
    own(directory);
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
    return directory;
  }

  void own(Path path) throws IOException {
    if (uid >= 0) {
      Files.setAttribute(path, "unix:uid", uid);
      Files.setAttribute(path, "unix:gid", gid);
    }
  }

  /** A command line that runs a program under the supervisor as the unprivileged user. */
  List<String> supervised(List<String> options, List<String> program) {
    List<String> command = new ArrayList<>(List.of(natives.supervisor().toString()));
    if (uid >= 0) {
      command.addAll(List.of("--uid", Integer.toString(uid), "--gid", Integer.toString(gid)));
    }
    command.addAll(options);
    command.add("--");
    command.addAll(program);
    return command;
  }

  /** A new cluster, owned by the unprivileged user. */
  Path initdb() throws IOException, InterruptedException {
    Path data = directory("store");
    run(
        supervised(
            List.of(),
            List.of(
                home.resolve("bin/initdb").toString(),
                "-D",
                data.toString(),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync")));
    return data;
  }

  static String run(List<String> command) throws IOException, InterruptedException {
    Path output = Files.createTempFile("ebb-run", ".log");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      try (OutputStream lifeline = process.getOutputStream()) {
        lifeline.flush();
        if (!process.waitFor(120, TimeUnit.SECONDS)) {
          process.destroyForcibly();
          throw new IOException("timed out: " + command);
        }
      }
      String text = Files.readString(output, StandardCharsets.UTF_8);
      if (process.exitValue() != 0) {
        throw new IOException(command + " failed:\n" + text);
      }
      return text;
    } finally {
      Files.deleteIfExists(output);
    }
  }

  /** Copies a tree; {@code wanted} decides about each file by its path relative to the source. */
  void copyTree(Path from, Path to, java.util.function.Predicate<String> wanted)
      throws IOException {
    Files.walkFileTree(
        from,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
              throws IOException {
            Path target = to.resolve(from.relativize(directory).toString());
            if (!Files.exists(target)) {
              Files.createDirectory(target);
              Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwx------"));
            }
            own(target);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            String relative = from.relativize(file).toString();
            if (wanted.test(relative)) {
              Path target = Files.copy(file, to.resolve(relative));
              Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rw-------"));
              own(target);
            }
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /** Compiles a program of {@code src/test/native}; it is to run with the shim. */
  static Path compile(Path directory, String name) throws Exception {
    Path program = directory.resolve(name);
    run(List.of("cc", "-O2", "-o", program.toString(), "src/test/native/" + name + ".c"));
    return program;
  }

  /**
   * Starts a program that works on a data directory through the shim.
   *
   * @param more of the environment
   */
  Process startShimmed(
      Path data, Path arena, Path socket, Map<String, String> more, List<String> command)
      throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command).directory(data.toFile()).redirectErrorStream(true);
    builder
        .environment()
        .putAll(
            Map.of(
                "LD_PRELOAD", natives.pageShim().toString(),
                "EBB_ARENA", arena.toString(),
                "EBB_AGENT_SOCKET", socket.toString(),
                "EBB_DATADIR", data.toString()));
    builder.environment().putAll(more);
    return builder.start();
  }

  /** Every regular file below a directory, by its relative path. */
  static Map<String, FileTime> files(Path root) throws IOException {
    Map<String, FileTime> files = new java.util.TreeMap<>();
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            files.put(root.relativize(file).toString(), attributes.lastModifiedTime());
            return FileVisitResult.CONTINUE;
          }
        });
    return files;
  }

  static void deleteTree(Path root) {
    try {
      Trees.delete(root);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
