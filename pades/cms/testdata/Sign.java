import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.List;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.*;
import org.bouncycastle.cms.jcajce.*;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.*;

/** Signs a file detached with BouncyCastle: algorithm, kind of key, key (PKCS #8), certificate, file, result. */
public class Sign {
  public static void main(String[] a) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    PrivateKey key = KeyFactory.getInstance(a[1]).generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(a[2]))));
    X509Certificate c = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(Files.newInputStream(Path.of(a[3])));
    CMSSignedDataGenerator g = new CMSSignedDataGenerator();
    g.addSignerInfoGenerator(new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().build())
        .build(new JcaContentSignerBuilder(a[0]).setProvider("BC").build(key), c));
    g.addCertificates(new JcaCertStore(List.of(c)));
    Files.write(Path.of(a[5]), g.generate(new CMSProcessableByteArray(Files.readAllBytes(Path.of(a[4]))), false).toASN1Structure().getEncoded("DER"));
  }
}
