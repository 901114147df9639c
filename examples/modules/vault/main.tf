terraform {
  required_version = ">= 1.4"
}

resource "terraform_data" "vault" {
  input = {
    name     = var.deployment_id == "" ? var.vault_name : "${var.vault_name}-${var.deployment_id}"
    key      = sha256(var.master_key)
    networks = var.allowed_networks
  }
}

resource "terraform_data" "secret" {
  for_each = var.secrets

  input = "${nonsensitive(terraform_data.vault.output.name)}/${each.key}"
}
