package dev.ebb.launcher.client;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.HttpURLConnection;
import java.net.MalformedURLException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One server's HTTP API. Blocking. Made over {@code HttpURLConnection}, which starts in a third of
 * the time of {@code java.net.http}.
 */
public final class ApiClient {
  private static final int CONNECT_TIMEOUT_MS = 3_000;

  /** What only looks is answered at once, or by a server whose services are slow. */
  private static final int LOOK_TIMEOUT_MS = 150_000;

  /**
   * Longer than the server itself waits for what it is asked to do: it gives up on copying WAL for
   * a branch, the longest of all, after 600 s, and says so.
   */
  private static final int CHANGE_TIMEOUT_MS = 630_000;

  private static final Duration TELL_EVERY = Duration.ofSeconds(10);

  private final String url;
  private final @Nullable String token;
  private final Consumer<Duration> waiting;
  private final Duration tellEvery;

  /**
   * @param url of the server, without a path
   * @param token sent as bearer token; null: none
   */
  public ApiClient(String url, @Nullable String token) {
    this(url, token, waited -> {}, TELL_EVERY);
  }

  /**
   * @param waiting told now and then for how long the server has been at work on a change; on a
   *     thread of its own
   */
  public ApiClient(String url, @Nullable String token, Consumer<Duration> waiting) {
    this(url, token, waiting, TELL_EVERY);
  }

  /** The same, told as often as said. */
  public ApiClient(
      String url, @Nullable String token, Consumer<Duration> waiting, Duration tellEvery) {
    this.url = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
    this.token = token;
    this.waiting = waiting;
    this.tellEvery = tellEvery;
  }

  /** For how long an answer is waited for, in ms. */
  public static int timeoutMs(String method) {
    return method.equals("GET") ? LOOK_TIMEOUT_MS : CHANGE_TIMEOUT_MS;
  }

  /** The text as one element of a path. */
  public static String element(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /**
   * Sends a request.
   *
   * @param body sent as JSON; null: none
   * @return the answer's body; null where it has none
   */
  public @Nullable Object send(String method, String path, @Nullable Map<String, ?> body)
      throws ApiException {
    if (method.equals("GET")) {
      return exchange(method, path, body);
    }
    Thread teller = new Thread(this::tell, "waiting");
    teller.setDaemon(true);
    teller.start();
    try {
      return exchange(method, path, body);
    } finally {
      teller.interrupt();
    }
  }

  private void tell() {
    long begin = System.nanoTime();
    try {
      while (true) {
        Thread.sleep(tellEvery);
        waiting.accept(Duration.ofNanos(System.nanoTime() - begin));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the answer is there
    }
  }

  private @Nullable Object exchange(String method, String path, @Nullable Map<String, ?> body)
      throws ApiException {
    try {
      HttpURLConnection connection = open(method, path);
      if (body != null) {
        byte[] bytes = Json.write(body).getBytes(StandardCharsets.UTF_8);
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "application/json");
        connection.setFixedLengthStreamingMode(bytes.length);
        connection.getOutputStream().write(bytes);
      }
      int status = connection.getResponseCode();
      String answer =
          read(status < 400 ? connection.getInputStream() : connection.getErrorStream());
      if (status >= 400) {
        throw new ApiException.Refused(status, reason(status, answer));
      }
      return answer.isBlank() ? null : Json.parse(answer);
    } catch (ConnectException | NoRouteToHostException | UnknownHostException e) {
      throw new ApiException.Unreachable(
          "no server answers at " + url + ": start one with \"./ebb up\", or name it with --url");
    } catch (SocketTimeoutException e) {
      throw new ApiException.Unreachable(
          "the server at "
              + url
              + " does not answer: it may still be at work; look into its log (log/ebb.log)");
    } catch (IOException e) {
      throw new ApiException.Unreachable(
          "what answers at " + url + " is not an Ebb server (" + e.getMessage() + "): check --url");
    }
  }

  private HttpURLConnection open(String method, String path) throws IOException, ApiException {
    try {
      if (URI.create(url + path).toURL().openConnection() instanceof HttpURLConnection connection) {
        connection.setRequestMethod(method);
        connection.setConnectTimeout(CONNECT_TIMEOUT_MS);
        connection.setReadTimeout(timeoutMs(method));
        connection.setInstanceFollowRedirects(false);
        connection.setRequestProperty("Accept", "application/json");
        if (token != null) {
          connection.setRequestProperty("Authorization", "Bearer " + token);
        }
        return connection;
      }
    } catch (IllegalArgumentException | MalformedURLException e) {
      // Told below.
    }
    throw new ApiException.Refused(
        0, "\"" + url + "\" is not a URL: name the server as in --url http://127.0.0.1:8432");
  }

  private static String read(@Nullable InputStream stream) throws IOException {
    if (stream == null) {
      return "";
    }
    try (stream) {
      return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** The server's own words where it has some. */
  private static String reason(int status, String answer) {
    if (status == 401) {
      return "the server refused the token: name its data directory with --data, or pass --token";
    }
    try {
      if (Json.parse(answer) instanceof Map<?, ?> problem) {
        for (String key : new String[] {"detail", "title"}) {
          if (problem.get(key) instanceof String text && !text.isBlank()) {
            return text;
          }
        }
      }
    } catch (IOException e) {
      // The answer is no JSON: the status has to do.
    }
    return "the server answered with HTTP status " + status + ": look into its log (log/ebb.log)";
  }
}
