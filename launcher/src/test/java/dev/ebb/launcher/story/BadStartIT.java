package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.process.EbbProcess;
import dev.ebb.launcher.process.FreePorts;
import dev.ebb.shared.catalog.SecretFingerprint;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ebb up} where it cannot start: one line that says what to do, and the exit code 1. */
final class BadStartIT {
  private static final Duration BOUND = Duration.ofSeconds(60);

  @TempDir private Path directory;
  private Path data;
  private List<Integer> ports;

  @BeforeEach
  void prepare() throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    data = directory.resolve("data");
    ports = FreePorts.take(2);
  }

  /** What it prints; a later option of the same name counts. */
  private String refusal(String... options) throws Exception {
    List<String> words = new ArrayList<>(List.of("up"));
    List<String> given = List.of(options);
    for (var option :
        Map.of(
                "--data",
                data.toString(),
                "--port",
                ports.get(0).toString(),
                "--http-port",
                ports.get(1).toString(),
                "--pool-port",
                "0")
            .entrySet()) {
      if (!given.contains(option.getKey())) {
        words.add(option.getKey());
        words.add(option.getValue());
      }
    }
    words.addAll(given);
    try (EbbProcess refused = EbbProcess.start(directory, Map.of(), words.toArray(String[]::new))) {
      assertThat(refused.awaitExit(BOUND)).as(refused.output()).isNotZero();
      assertThat(refused.output()).doesNotContain("\tat ", "Exception");
      return refused.output();
    }
  }

  @Test
  void portInUseIsToldWithItsFlag() throws Exception {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = String.valueOf(taken.getLocalPort());
      assertThat(refusal("--port", port)).contains("port " + port, "in use", "--port");
      assertThat(refusal("--pool-port", port)).contains("port " + port, "in use", "--pool-port");
      assertThat(refusal("--http-port", port)).contains("port " + port, "in use", "--http-port");
      Path config =
          Files.writeString(
              directory.resolve("ebb.yaml"), "kafka: {embedded: {port: " + port + "}}\n");
      assertThat(refusal("--config", config.toString()))
          .contains("port " + port, "in use", "kafka.embedded.port");
    }
  }

  @Test
  void dataDirectoryThatCannotBeOneIsTold() throws Exception {
    Path file = Files.writeString(directory.resolve("file"), "no directory");
    assertThat(refusal("--data", file.toString())).contains(file.toString(), "--data");
    assertThat(refusal("--data", file.resolve("below").toString())).contains("--data");
    // Not even root makes directories there.
    assertThat(refusal("--data", "/proc/ebb")).contains("/proc/ebb", "--data");
  }

  @Test
  void fileWhereADirectoryBelongsIsTold() throws Exception {
    for (String name : List.of("store", "kafka", "log")) {
      data = Files.createDirectories(directory.resolve("no-" + name));
      Path file = Files.writeString(data.resolve(name), "garbage");
      assertThat(refusal()).contains(file.toString());
    }
  }

  @Test
  void tokenAndSecretThatAreCutOffAreTold() throws Exception {
    Files.createDirectories(data);
    for (String name : List.of("token", "cluster-secret")) {
      Path file = data.resolve(name);
      for (String rest : List.of("", "abc")) {
        Files.writeString(file, rest);
        assertThat(refusal()).contains(file.toString(), "cut off").hasLineCount(1);
      }
      Files.delete(file);
    }
  }

  @Test
  void secretThatIsNotTheStoresIsTold() throws Exception {
    try (var store = new LocalObjectStore(Files.createDirectories(data.resolve("store")))) {
      assertThat(new SecretFingerprint(store).matches(new Secret("the secret that was lost")))
          .isTrue();
    }
    assertThat(refusal()).contains(data.resolve("cluster-secret").toString(), "restore");
  }

  @Test
  void garbageInTheConfigurationIsTold() throws Exception {
    Path config = directory.resolve("ebb.yaml");
    Files.write(config, new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1, 2, 3});
    assertThat(refusal("--config", config.toString())).contains(config.toString(), "UTF-8");
    Files.writeString(config, "gateway: {port: [");
    assertThat(refusal("--config", config.toString())).contains(config.toString(), "not YAML");
    Files.writeString(config, "gatewy: {port: 1}\nscaler: {idleTimeout: soon}\n");
    assertThat(refusal("--config", config.toString())).contains("gateway", "idleTimeout");
    assertThat(refusal("--config", directory.toString())).contains(directory.toString());
    assertThat(refusal("--config", directory.resolve("none").toString())).contains("none");
    assertThat(refusal("--port", "70000")).contains("--port", "65535");
  }
}
