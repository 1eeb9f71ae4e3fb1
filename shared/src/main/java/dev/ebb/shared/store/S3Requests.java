package dev.ebb.shared.store;

import io.minio.AbortMultipartUploadArgs;
import io.minio.CompleteMultipartUploadArgs;
import io.minio.CreateMultipartUploadArgs;
import io.minio.GetObjectArgs;
import io.minio.GetObjectResponse;
import io.minio.HeadObjectArgs;
import io.minio.Http;
import io.minio.ListMultipartUploadsArgs;
import io.minio.ListObjectsV2Args;
import io.minio.MinioAsyncClient;
import io.minio.PutObjectAPIArgs;
import io.minio.RemoveObjectArgs;
import io.minio.UploadPartArgs;
import io.minio.credentials.StaticProvider;
import io.minio.errors.MinioException;
import io.minio.messages.Contents;
import io.minio.messages.ListBucketResultV2;
import io.minio.messages.ListMultipartUploadsResult;
import io.minio.messages.Part;
import java.io.EOFException;
import java.io.IOException;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import okhttp3.ConnectionPool;
import okhttp3.Dispatcher;
import okhttp3.Headers;
import okhttp3.OkHttpClient;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Single requests to an S3 server, each made once. What the server refuses, or does not answer,
 * comes as the exception that the MinIO client or the network threw.
 */
final class S3Requests implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(S3Requests.class);

  /** OkHttp's own bound is 5 requests a host at a time, which a slow store makes a bottleneck. */
  private static final int REQUESTS_AT_ONCE = 128;

  private static final int IDLE_CONNECTIONS = 32;
  private static final long IDLE_MS = 60_000;

  private final String bucket;
  private final OkHttpClient http;
  private final MinioAsyncClient client;
  private final AtomicLong clockLeadMs = new AtomicLong();

  /** What is stored under an object's name. */
  record Found(byte[] content, String etag, WriteHistory history) {}

  /** What an object's header says. */
  record Facts(String etag, WriteHistory history) {}

  S3Requests(S3Config config) {
    S3Config.Limits limits = config.limits();
    bucket = config.bucket();
    var dispatcher = new Dispatcher();
    dispatcher.setMaxRequests(REQUESTS_AT_ONCE);
    dispatcher.setMaxRequestsPerHost(REQUESTS_AT_ONCE);
    http =
        new OkHttpClient.Builder()
            .dispatcher(dispatcher)
            .connectionPool(new ConnectionPool(IDLE_CONNECTIONS, IDLE_MS, TimeUnit.MILLISECONDS))
            .connectTimeout(limits.connectTimeoutMs(), TimeUnit.MILLISECONDS)
            .readTimeout(limits.ioTimeoutMs(), TimeUnit.MILLISECONDS)
            .writeTimeout(limits.ioTimeoutMs(), TimeUnit.MILLISECONDS)
            .callTimeout(limits.requestTimeoutMs(), TimeUnit.MILLISECONDS)
            .retryOnConnectionFailure(false) // would hide that a request may have been sent twice
            .addNetworkInterceptor(chain -> {
              var response = chain.proceed(chain.request());
              noteClock(response.header("Date"));
              return response;
            })
            .build();
    String token = config.credentials().sessionToken().reveal();
    client =
        MinioAsyncClient.builder()
            .endpoint(config.endpoint())
            .region(config.region())
            .credentialsProvider(
                new StaticProvider(
                    config.credentials().accessKey().reveal(),
                    config.credentials().secretKey().reveal(),
                    token.isBlank() ? null : token))
            .httpClient(http)
            .build();
    client.setRetry(java.util.Set.of(), 0L, 1);
  }

  private void noteClock(@Nullable String date) {
    if (date != null) {
      try {
        Instant server =
            ZonedDateTime.parse(date, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
        clockLeadMs.set(System.currentTimeMillis() - server.toEpochMilli());
      } catch (DateTimeParseException e) {
        log.trace("the server sent an odd date", e);
      }
    }
  }

  /** How far this machine's clock was ahead of the server's at the last answer, in ms. */
  long clockLeadMs() {
    return clockLeadMs.get();
  }

  Found get(String object) throws MinioException, IOException {
    var args = GetObjectArgs.builder().bucket(bucket).object(object).build();
    try (GetObjectResponse in = await(client.getObject(args))) {
      byte[] content = in.readAllBytes();
      // A connection that ends early is no end of an object: something in between may hide it.
      String length = in.headers().get("Content-Length");
      if (length != null && Long.parseLong(length) != content.length) {
        throw new EOFException(content.length + " of " + length + " bytes came");
      }
      return new Found(content, etag(in.headers()), WriteHistory.of(in.headers()));
    }
  }

  /** The bytes that came, which are fewer only where the object ends. */
  byte[] getRange(String object, long offset, int length) throws MinioException, IOException {
    var args =
        GetObjectArgs.builder()
            .bucket(bucket)
            .object(object)
            .offset(offset)
            .length((long) length)
            .build();
    try (GetObjectResponse in = await(client.getObject(args))) {
      String range = in.headers().get("Content-Range");
      if (range == null || !range.startsWith("bytes " + offset + "-")) {
        throw new IOException("the server did not answer with the range that was asked for");
      }
      byte[] bytes = in.readNBytes(length);
      if (bytes.length < length && offset + bytes.length < size(range)) {
        throw new EOFException(bytes.length + " of " + length + " bytes came");
      }
      return bytes;
    }
  }

  /** The object's size in a {@code Content-Range: bytes FIRST-LAST/SIZE}. */
  private static long size(String range) throws IOException {
    try {
      return Long.parseLong(range.substring(range.indexOf('/') + 1));
    } catch (NumberFormatException e) {
      throw new IOException("the server answered with an odd Content-Range: " + range, e);
    }
  }

  Facts head(String object) throws MinioException, IOException {
    Headers headers =
        await(client.headObject(HeadObjectArgs.builder().bucket(bucket).object(object).build()))
            .headers();
    return new Facts(etag(headers), WriteHistory.of(headers));
  }

  /** Writes an object; returns its ETag. */
  String put(String object, byte[] content, Map<String, String> headers)
      throws MinioException, IOException {
    var args =
        PutObjectAPIArgs.builder()
            .bucket(bucket)
            .object(object)
            .data(content, content.length)
            .headers(new Http.Headers(headers))
            .build();
    return unquoted(await(client.putObject(args)).etag());
  }

  void delete(String object) throws MinioException, IOException {
    var _ =
        await(
            client.removeObject(RemoveObjectArgs.builder().bucket(bucket).object(object).build()));
  }

  /** One page of a listing. */
  record Page(List<Contents> objects, @Nullable String next) {}

  Page list(String prefix, int keys, @Nullable String from) throws MinioException, IOException {
    var args = ListObjectsV2Args.builder().bucket(bucket).prefix(prefix).maxKeys(keys);
    if (from != null) {
      args.continuationToken(from);
    }
    ListBucketResultV2 result = await(client.listObjectsV2(args.build())).result();
    String next = result.nextContinuationToken();
    if (result.isTruncated() && (next == null || next.isEmpty())) {
      throw new IOException("the server cut a listing short without saying how to go on");
    }
    return new Page(result.contents(), result.isTruncated() ? next : null);
  }

  /** Begins an upload in parts; returns its id. */
  String beginUpload(String object, Map<String, String> headers)
      throws MinioException, IOException {
    var args =
        CreateMultipartUploadArgs.builder()
            .bucket(bucket)
            .object(object)
            .headers(new Http.Headers(headers))
            .build();
    return await(client.createMultipartUpload(args)).result().uploadId();
  }

  Part uploadPart(String object, String upload, int number, byte[] content)
      throws MinioException, IOException {
    var args =
        UploadPartArgs.builder()
            .bucket(bucket)
            .object(object)
            .uploadId(upload)
            .partNumber(number)
            .data(content, content.length)
            .build();
    return await(client.uploadPart(args)).part();
  }

  /** Makes the parts one object; returns its ETag. */
  String completeUpload(String object, String upload, List<Part> parts)
      throws MinioException, IOException {
    var args =
        CompleteMultipartUploadArgs.builder()
            .bucket(bucket)
            .object(object)
            .uploadId(upload)
            .parts(parts.toArray(new Part[0]))
            .maxRetries(1)
            .build();
    return unquoted(await(client.completeMultipartUpload(args)).etag());
  }

  void abortUpload(String object, String upload) throws MinioException, IOException {
    var args =
        AbortMultipartUploadArgs.builder().bucket(bucket).object(object).uploadId(upload).build();
    var _ = await(client.abortMultipartUpload(args));
  }

  /** The first uploads below a prefix that are neither complete nor aborted. */
  List<ListMultipartUploadsResult.Upload> openUploads(String prefix, int most)
      throws MinioException, IOException {
    var args =
        ListMultipartUploadsArgs.builder().bucket(bucket).prefix(prefix).maxUploads(most).build();
    return await(client.listMultipartUploads(args)).result().uploads();
  }

  private static <T> T await(CompletableFuture<T> answer) throws MinioException, IOException {
    try {
      return answer.join();
    } catch (CompletionException e) {
      Throwable cause = e;
      while (cause instanceof CompletionException && cause.getCause() != null) {
        cause = cause.getCause();
      }
      switch (cause) {
        case MinioException known -> throw known;
        case IOException known -> throw known;
        default -> throw new IOException(cause);
      }
    }
  }

  private static String etag(Headers headers) throws IOException {
    return unquoted(headers.get("ETag"));
  }

  private static String unquoted(@Nullable String etag) throws IOException {
    if (etag == null || etag.isEmpty()) {
      throw new IOException("the S3 server sent no ETag, which Ebb needs");
    }
    return etag.replace("\"", "");
  }

  @Override
  public void close() {
    try {
      client.close();
    } catch (Exception e) {
      log.warn("could not close the S3 client", e);
    }
    http.dispatcher().executorService().shutdown();
    http.connectionPool().evictAll();
  }
}
