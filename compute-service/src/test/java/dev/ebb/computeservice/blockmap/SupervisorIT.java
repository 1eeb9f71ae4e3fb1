package dev.ebb.computeservice.blockmap;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Nothing of a compute outlives its agent, its supervisor or its lease. */
final class SupervisorIT {

  private Path data = Path.of("");

  @BeforeEach
  void makeACluster() throws Exception {
    data = TestPostgres.get().initdb();
  }

  private TestServer start(String... supervision) throws Exception {
    return TestServer.start(data, Map.of(), List.of(supervision), List.of());
  }

  @Test
  void anAgentThatIsGoneTakesThePostmasterDownAndItsSharedMemory() throws Exception {
    try (TestServer server = start()) {
      List<String> segments = segments();
      assertThat(segments).isNotEmpty();
      server.supervisor.getOutputStream().close();
      assertThat(server.supervisor.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(TestServer.isAlive(server.postmaster)).isFalse();
      assertThat(segments()).doesNotContainAnyElementsOf(segments);
    }
  }

  @Test
  void aLeaseThatRunsOutTakesThePostmasterDown() throws Exception {
    try (TestServer server = start("--lease-seconds", "1")) {
      assertThat(server.supervisor.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(TestServer.isAlive(server.postmaster)).isFalse();
    }
  }

  @Test
  void aLeaseThatIsRenewedKeepsThePostmaster() throws Exception {
    try (TestServer server = start("--lease-seconds", "2")) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
      while (System.nanoTime() < end) {
        server.supervisor.getOutputStream().write(1);
        server.supervisor.getOutputStream().flush();
        assertThat(server.supervisor.waitFor(200, TimeUnit.MILLISECONDS)).isFalse();
      }
      assertThat(server.query("postgres", "SELECT 7")).containsExactly("7");
      server.stop();
    }
  }

  @Test
  void aKilledSupervisorTakesThePostmasterDown() throws Exception {
    try (TestServer server = start()) {
      server.supervisor.destroyForcibly();
      TestServer.await("the postmaster ends", () -> !TestServer.isAlive(server.postmaster));
    }
  }

  @Test
  void aKilledPostmasterLeavesNoProcessAndNoSharedMemory() throws Exception {
    try (TestServer server = start()) {
      List<String> segments = segments();
      List<ProcessHandle> children =
          ProcessHandle.of(server.postmaster).orElseThrow().children().toList();
      assertThat(children).hasSizeGreaterThan(3);
      TestServer.signal(server.postmaster, "KILL");
      assertThat(server.supervisor.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(server.supervisor.exitValue()).isEqualTo(128 + 9);
      assertThat(children).noneMatch(ProcessHandle::isAlive);
      assertThat(segments()).doesNotContainAnyElementsOf(segments);
    }
  }

  @Test
  void aProgramThatCannotBeStartedIsReported() throws Exception {
    Process process =
        new ProcessBuilder(
                TestPostgres.get().natives.supervisor().toString(), "--", "/no/such/program")
            .redirectErrorStream(true)
            .start();
    String said =
        new String(
            process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isEqualTo(71);
    assertThat(said).contains("exec: No such file or directory");
  }

  /** The System V segment of this cluster as the kernel lists it. */
  private List<String> segments() throws IOException {
    Path file = data.resolve("postmaster.pid");
    if (!Files.exists(file)) {
      return List.of();
    }
    String id = Files.readAllLines(file).get(6).trim().split("\\s+", -1)[1];
    return Files.readAllLines(Path.of("/proc/sysvipc/shm")).stream()
        .map(line -> line.trim().split("\\s+", -1))
        .filter(fields -> fields[1].equals(id))
        .map(fields -> fields[0] + " " + fields[1])
        .toList();
  }
}
