package dev.ebb.gateway.compat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.gateway.GatewayFixture;
import dev.ebb.gateway.RealPostgres;
import dev.ebb.gateway.pool.PoolConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A program as in the documentation of Node's {@code pg}: the same comes of it directly and through
 * both ports. Skipped where there is no Node, or nowhere to get {@code pg} from.
 */
final class NodeIT {
  private static final String PACKAGE = "pg@8.23.1";
  private static final long INSTALL_SECONDS = 60;

  @TempDir private static Path directory;

  @Test
  void programOfTheDocumentationDoesTheSameThroughTheGateway() throws Exception {
    assumeTrue(GatewayFixture.has("node") && GatewayFixture.has("npm"), "no Node is installed");
    Path home = Files.createDirectory(directory.resolve("node"));
    Outcome installed =
        run(
            home,
            Map.of(),
            INSTALL_SECONDS,
            List.of("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE));
    assumeTrue(installed.exit() == 0, () -> PACKAGE + " cannot be had: " + installed.output());
    try (InputStream in = NodeIT.class.getResourceAsStream("program.js")) {
      Files.copy(Objects.requireNonNull(in), home.resolve("program.js"));
    }
    try (var gateway =
        new GatewayFixture(directory, config -> config.withPool(0, PoolConfig.DEFAULT))) {
      String expected = program(home, gateway.postgres.port());
      assertThat(expected).contains("[\"node_news\",\"extra\"]").endsWith("done\n");
      assertThat(program(home, gateway.port)).as("session").isEqualTo(expected);
      assertThat(program(home, gateway.poolPort)).as("pool").isEqualTo(expected);
    }
  }

  private static String program(Path home, int port) throws Exception {
    Map<String, String> place =
        Map.of(
            "PGHOST",
            "127.0.0.1",
            "PGPORT",
            "" + port,
            "PGUSER",
            "app",
            "PGDATABASE",
            "shop",
            "PGPASSWORD",
            RealPostgres.PASSWORD);
    Outcome outcome =
        run(home, place, INSTALL_SECONDS, List.of("node", "--no-deprecation", "program.js"));
    assertThat(outcome.exit()).as(outcome.output()).isZero();
    return outcome.output();
  }

  private record Outcome(int exit, String output) {}

  private static Outcome run(
      Path home, Map<String, String> environment, long seconds, List<String> command)
      throws IOException, InterruptedException {
    Path output = Files.createTempFile(home, "run", ".log");
    var builder =
        new ProcessBuilder(command)
            .directory(home.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly().waitFor();
    }
    return new Outcome(process.waitFor(), Files.readString(output, StandardCharsets.UTF_8));
  }
}
