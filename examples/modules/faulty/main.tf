terraform {
  required_version = ">= 1.4"
}

resource "terraform_data" "foundation" {
  input = "created before the failure"
}

resource "terraform_data" "machine" {
  input = var.repaired

  provisioner "local-exec" {
    command = <<-EOT
      if [ "$REPAIRED" != true ]; then
        echo "Cannot create the machine: $REASON" >&2
        exit 1
      fi
      echo "The machine is up"
    EOT
    environment = {
      REPAIRED = var.repaired
      REASON   = var.reason
    }
  }

  depends_on = [terraform_data.foundation]
}
