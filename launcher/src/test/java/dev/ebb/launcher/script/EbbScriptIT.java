package dev.ebb.launcher.script;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The {@code ebb} script in a copy of the repository that has nothing but a few empty files, with a
 * PATH that has nothing but what each test puts there: JDK, Maven and compiler are small scripts.
 */
final class EbbScriptIT {
  private static final long TIMEOUT_SECONDS = 60;
  private static final List<String> TOOLS =
      List.of(
          "sh",
          "dirname",
          "readlink",
          "sed",
          "find",
          "mkdir",
          "rm",
          "mv",
          "grep",
          "sort",
          "head",
          "cat",
          "touch");

  @TempDir private Path directory;

  private record Outcome(int code, String out, String err) {}

  private Path root() {
    return directory.resolve("repository");
  }

  private Path bin() {
    return directory.resolve("bin");
  }

  @BeforeEach
  void copyTheScript() throws IOException {
    Files.createDirectories(bin());
    Files.createDirectories(directory.resolve("jdks"));
    Files.createDirectories(root().resolve("shared/src/main"));
    Files.createDirectories(root().resolve(".mvn"));
    Files.createFile(root().resolve("pom.xml"));
    Files.createFile(root().resolve("shared/pom.xml"));
    Files.copy(Path.of("..", "ebb").toAbsolutePath(), root().resolve("ebb"));
    Files.setPosixFilePermissions(
        root().resolve("ebb"), PosixFilePermissions.fromString("rwxr-xr-x"));
    for (String tool : TOOLS) {
      for (String folder : new String[] {"/bin", "/usr/bin"}) {
        Path real = Path.of(folder, tool);
        if (Files.isExecutable(real)) {
          Files.createSymbolicLink(bin().resolve(tool), real);
          break;
        }
      }
    }
  }

  private static void script(Path file, String body) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    Files.writeString(file, "#!/bin/sh\n" + body + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Path jdk(String name, String version) throws IOException {
    Path home = directory.resolve("jdks").resolve(name);
    script(home.resolve("bin/java"), "echo \"" + name + " runs $*\"");
    script(home.resolve("bin/javac"), "");
    Files.writeString(home.resolve("release"), "JAVA_VERSION=\"" + version + "\"\n");
    return home;
  }

  /** A Maven that leaves what a build leaves and counts how often it was called. */
  private void maven(String version) throws IOException {
    script(
        bin().resolve("mvn"),
        """
        case $1 in -version) echo "Apache Maven %s (x)"; exit 0 ;; esac
        echo built >>built
        mkdir -p launcher/target/lib
        : >launcher/target/ebb-launcher.jar
        : >launcher/target/lib/picocli-1.jar
        : >launcher/target/lib/a.jar\
        """
            .formatted(version));
  }

  private Outcome run(String... words) throws Exception {
    List<String> command = new ArrayList<>(List.of(root().resolve("ebb").toString()));
    command.addAll(List.of(words));
    var builder = new ProcessBuilder(command).directory(directory.toFile());
    builder.environment().clear();
    builder.environment().put("PATH", bin().toString());
    builder.environment().put("HOME", directory.toString());
    builder.environment().put("EBB_JDK_FOLDERS", directory.resolve("jdks").toString());
    builder.environment().put("EBB_AOT", "off");
    Path out = directory.resolve("out");
    Path err = directory.resolve("err");
    builder.redirectOutput(out.toFile()).redirectError(err.toFile());
    Process process = builder.start();
    process.getOutputStream().close();
    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).as("ended").isTrue();
    return new Outcome(
        process.exitValue(),
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }

  private int builds() throws IOException {
    Path file = root().resolve("built");
    return Files.exists(file) ? Files.readAllLines(file).size() : 0;
  }

  private static void assertToldInOneLine(Outcome outcome, String... words) {
    assertThat(outcome.code()).isNotZero();
    assertThat(outcome.err()).startsWith("ebb: ").hasLineCount(1).contains(words);
  }

  @Test
  void withoutJdkItSaysWhatToInstall() throws Exception {
    assertToldInOneLine(run("ps"), "no JDK of 25 or newer", "install", "JAVA_HOME");
    jdk("old", "17.0.2");
    assertToldInOneLine(run("ps"), "no JDK of 25 or newer");
    assertToldInOneLine(run("test"), "no JDK of 25 or newer");
  }

  @Test
  void olderDefaultJavaIsPassedOver() throws Exception {
    Path old = jdk("a-old", "21.0.1");
    Files.createSymbolicLink(bin().resolve("java"), old.resolve("bin/java"));
    jdk("b-new", "25.0.1");
    jdk("c-newer", "26");
    maven("3.9.9");
    script(bin().resolve("cc"), "");

    Outcome outcome = run("ps", "--json");

    assertThat(outcome.out()).startsWith("b-new runs").contains("dev.ebb.launcher.Main ps --json");
  }

  @Test
  void missingOrOldMavenIsTold() throws Exception {
    jdk("new", "25");
    assertToldInOneLine(run("ps"), "Maven is missing", "3.8");
    maven("3.6.3");
    assertToldInOneLine(run("ps"), "Maven 3.6.3 is too old", "3.8");
    assertToldInOneLine(run("test"), "Maven 3.6.3 is too old");
  }

  @Test
  void missingCompilerIsTold() throws Exception {
    jdk("new", "25");
    maven("3.8.7");
    assertToldInOneLine(run("up"), "C compiler is missing", "gcc");
    assertToldInOneLine(run("test"), "C compiler is missing", "gcc");
    assertThat(builds()).isZero();
  }

  @Test
  void missingHeadersAreTold() throws Exception {
    jdk("new", "25");
    maven("3.8.7");
    script(bin().resolve("cc"), "exit 1");

    assertToldInOneLine(run("up"), "headers", "libc6-dev");
  }

  @Test
  void buildIsMadeOnceAndAgainOnceStale() throws Exception {
    jdk("new", "25");
    maven("3.8.7");
    script(bin().resolve("cc"), "");

    assertThat(run("ps").err()).contains("first time");
    assertThat(run("ps").err()).isEmpty();
    assertThat(builds()).isEqualTo(1);
    assertThat(root().resolve("target/classpath"))
        .content()
        .matches("\\S+/ebb-launcher.jar:\\S+/lib/picocli-1.jar:\\S+/lib/a.jar\n");

    Path source = Files.createFile(root().resolve("shared/src/main/New.java"));
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(2)));
    assertThat(run("ps").err()).contains("building");
    assertThat(builds()).isEqualTo(2);
  }

  @Test
  void failedBuildShowsItsErrorsAndFails() throws Exception {
    jdk("new", "25");
    script(
        bin().resolve("mvn"),
        """
        case $1 in -version) echo "Apache Maven 3.9.1"; exit 0 ;; esac
        echo "[INFO] noise"
        echo "[ERROR] A.java:[1,2] broken"
        exit 1\
        """);
    script(bin().resolve("cc"), "");

    Outcome outcome = run("build");

    assertThat(outcome.code()).isNotZero();
    assertThat(outcome.err())
        .contains("[ERROR] A.java:[1,2] broken", "target/build.log")
        .doesNotContain("noise");
    assertThat(root().resolve("target/building")).doesNotExist();
  }

  @Test
  void psqlTakesThePlaceOfTheScript() throws Exception {
    Path home = jdk("new", "25");
    maven("3.8.7");
    script(bin().resolve("cc"), "");
    script(
        home.resolve("bin/java"),
        """
        case $* in
          *TrainingRun*) ;;
          *--help*) echo "the help" ;;
          *none*) echo "ebb: there is none" >&2; exit 1 ;;
          *) echo "exec 'psql' 'it'\\\\''s' '\\$HOME'" ;;
        esac\
        """);
    assertThat(run("psql", "shop").err()).contains("psql is missing");
    script(bin().resolve("psql"), "echo \"<$1> <$2>\"; exit 5");

    assertThat(run("psql", "shop")).isEqualTo(new Outcome(5, "<it's> <$HOME>\n", ""));
    assertThat(run("psql", "--help").out()).isEqualTo("the help\n");
    assertThat(run("psql", "none")).isEqualTo(new Outcome(1, "", "ebb: there is none\n"));
  }

  @Test
  void helpOfTheScriptsOwnCommandsNeedsNothing() throws Exception {
    Outcome outcome = run("test", "--help");

    assertThat(outcome.code()).isZero();
    assertThat(outcome.out()).contains("--soak");
  }
}
