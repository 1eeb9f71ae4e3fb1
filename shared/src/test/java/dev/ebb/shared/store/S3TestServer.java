package dev.ebb.shared.store;

import dev.ebb.shared.model.Secret;
import io.minio.MakeBucketArgs;
import io.minio.MinioClient;
import java.net.URI;
import java.util.UUID;
import org.gaul.s3proxy.S3Proxy;
import org.gaul.s3proxy.auth.AuthenticationType;
import org.gaul.s3proxy.nio2blob.TransientNio2BlobStore;

/** An S3 server for tests, in memory, on a port of its own of the loopback interface. */
public final class S3TestServer implements AutoCloseable {
  static final String ACCESS_KEY = "ebb-test";
  static final String SECRET_KEY = "ebb-test-secret";

  private final S3Proxy server;

  public S3TestServer() {
    try {
      server =
          S3Proxy.builder()
              .blobStore(new TransientNio2BlobStore())
              .endpoint(URI.create("http://127.0.0.1:0"))
              .awsAuthentication(AuthenticationType.AWS_V2_OR_V4, ACCESS_KEY, SECRET_KEY)
              .build();
      server.start();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  public String endpoint() {
    return "http://127.0.0.1:" + server.getPort();
  }

  /** How to reach a new, empty bucket. */
  public S3Config newBucket() {
    String bucket = "ebb-" + UUID.randomUUID();
    var client =
        MinioClient.builder()
            .endpoint(endpoint())
            .region("us-east-1")
            .credentials(ACCESS_KEY, SECRET_KEY)
            .build();
    try {
      client.makeBucket(MakeBucketArgs.builder().bucket(bucket).build());
      client.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
    return config(bucket, SECRET_KEY);
  }

  S3Config config(String bucket, String secretKey) {
    return new S3Config(
        endpoint(),
        bucket,
        "some/prefix",
        "us-east-1",
        ACCESS_KEY,
        new Secret(secretKey),
        2_000,
        20_000,
        4);
  }

  @Override
  public void close() {
    try {
      server.stop();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
