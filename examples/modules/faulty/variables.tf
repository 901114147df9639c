# What the marketplace shows and charges. None of this is asked of the person who deploys.

variable "module_description" {
  description = "One sentence for the card of this module. {{UIMeta group=0 order=1 }}"
  type        = string
  default     = "Fails while it is applied, so that you can see what a failure looks like."
}

variable "module_documentation" {
  description = "Where the module is documented. {{UIMeta group=0 order=2 }}"
  type        = string
  default     = "https://developer.hashicorp.com/terraform/language/resources/provisioners/local-exec"
}

variable "module_services" {
  description = "Services this module sets up. {{UIMeta group=0 order=4 }}"
  type        = list(string)
  default     = ["Nothing that works"]
}

variable "credit_cost" {
  description = "Credits that one deployment costs. {{UIMeta group=0 order=5 }}"
  type        = number
  default     = 10
}

variable "require_credit_purchases" {
  description = "Only purchased credits may pay for this module. {{UIMeta group=0 order=6 }}"
  type        = bool
  default     = false
}

variable "enable_purge" {
  description = "Offer Purge for a deployment that is stuck. {{UIMeta group=0 order=7 }}"
  type        = bool
  default     = true
}

variable "public_access" {
  description = "Everybody signed in may deploy this module. {{UIMeta group=0 order=8 }}"
  type        = bool
  default     = true
}

variable "trusted_users" {
  description = "Who may deploy this module while it is not public. {{UIMeta group=0 order=9 }}"
  type        = list(string)
  default     = []
}

variable "deployment_id" {
  description = "Set by the platform: the id of the deployment, part of every name. {{UIMeta group=0 order=10 }}"
  type        = string
  default     = ""
}

# What is asked.

variable "repaired" {
  description = "Succeed after all. {{UIMeta group=1 order=101 updatesafe }}"
  type        = bool
  default     = false
}

variable "reason" {
  description = "What the failure says. {{UIMeta group=1 order=102 dependson=repaired==false updatesafe }}"
  type        = string
  default     = "the quota for machines in this region is used up"
}
