package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ServerLocation;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of every command that asks the API: which server, and how to print. */
final class ApiOptions {
  private static final String DEFAULT_URL = "http://127.0.0.1:8432";
  private static final int DEFAULT_PORT = 6432;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      defaultValue = "${env:EBB_DATA:-.ebb}",
      description = "Data directory of the server, to find it (default: ${DEFAULT-VALUE}).")
  private Path data = Path.of(".ebb");

  @Option(
      names = "--url",
      paramLabel = "URL",
      defaultValue = "${env:EBB_URL}",
      description = "HTTP address of the server (default: what its data directory says).")
  private @Nullable String url;

  @Option(
      names = "--token",
      paramLabel = "TOKEN",
      defaultValue = "${env:EBB_TOKEN}",
      description = "Token of the API (default: the one in the data directory).")
  private @Nullable String token;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  /** Where PostgreSQL clients connect. */
  record Gateway(String host, int port) {}

  boolean json() {
    return json;
  }

  /**
   * A client.
   *
   * @param waiting told now and then for how long the server has been at work
   */
  ApiClient client(Consumer<Duration> waiting) {
    return new ApiClient(url(), token(), waiting);
  }

  Gateway gateway() {
    ServerLocation location = ServerLocation.read(data);
    if (location != null && (url == null || url.equals(location.url()))) {
      return new Gateway(location.gatewayHost(), location.gatewayPort());
    }
    try {
      String host = URI.create(url()).getHost();
      return new Gateway(host == null ? "127.0.0.1" : host, DEFAULT_PORT);
    } catch (IllegalArgumentException e) {
      return new Gateway("127.0.0.1", DEFAULT_PORT);
    }
  }

  private String url() {
    if (url != null && !url.isBlank()) {
      return url;
    }
    ServerLocation location = ServerLocation.read(data);
    return location == null ? DEFAULT_URL : location.url();
  }

  private @Nullable String token() {
    if (token != null && !token.isBlank()) {
      return token;
    }
    try {
      return Files.readString(data.resolve("token")).strip();
    } catch (IOException e) {
      // The server says that it wants one.
      return null;
    }
  }
}
